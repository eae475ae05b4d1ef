import RaftCore

/// A plan as text, so that a run that was made smaller can be kept, and lived through again.
public enum PlanText {
  /// What is wrong with a text.
  public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line, from 1.
    public let line: Int
    /// What was expected there.
    public let reason: String
    /// Where and what.
    public var description: String { "line \(line): \(reason)" }
  }

  /// Writes a plan, one fact a line.
  public static func write(_ plan: SimulationPlan) -> String {
    var lines = [
      "seed \(plan.seed)", "profile \(plan.profile.name)", "nodes \(plan.nodes)", "ticks \(plan.ticks)",
      "clients \(plan.clients)", "think \(plan.thinkTicksMax)", "recovery \(plan.recoveryTicks)",
      "loss \(plan.profile.lossPerMille)", "duplicates \(plan.profile.duplicatePerMille)",
      "delay \(plan.profile.delayTicksMax)", "disk \(plan.profile.diskTicksMax)",
    ]
    for fault in plan.faults { lines.append("fault \(fault.tick) \(fault.kind.rawValue) \(fault.choice)") }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Reads what ``write(_:)`` wrote. Empty lines, and those that begin with `#`, say nothing.
  ///
  /// - Throws: ``Fault`` naming the first line that is not understood.
  public static func read(_ text: String) throws(Fault) -> SimulationPlan {
    var plan = SimulationPlan(seed: 0)
    plan.schedule = []
    for (position, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.split(separator: " ").map(String.init)
      guard let name = words.first, !name.hasPrefix("#") else { continue }
      do throws(Reason) {
        try take(name, Array(words.dropFirst()), into: &plan)
      } catch {
        throw Fault(line: position + 1, reason: error.text)
      }
    }
    return plan
  }

  private struct Reason: Error {
    let text: String
  }

  private static func take(_ name: String, _ words: [String], into plan: inout SimulationPlan) throws(Reason)
  {
    if name == "fault" {
      guard words.count == 3, let tick = UInt64(words[0]), let kind = FaultKind(rawValue: words[1]),
        let choice = UInt64(words[2])
      else { throw Reason(text: "a fault is a tick, a kind and a number") }
      plan.schedule?.append(ScheduledFault(tick: tick, kind: kind, choice: choice))
      return
    }
    if name == "profile" {
      guard let profile = SimulationProfile.all.first(where: { [$0.name] == words }) else {
        throw Reason(text: "a profile is one of \(SimulationProfile.all.map(\.name).joined(separator: ", "))")
      }
      plan.profile = profile
      return
    }
    guard words.count == 1, let value = UInt64(words[0]), value <= 1 << 40 || name == "seed" else {
      throw Reason(text: "'\(name)' is followed by a number")
    }
    let number = Int(clamping: value)
    switch name {
    case "seed": plan.seed = value
    case "nodes":
      guard (1...9).contains(number) else { throw Reason(text: "there are 1 to 9 nodes") }
      plan.nodes = number
    case "ticks": plan.ticks = value
    case "clients": plan.clients = min(number, 1_000)
    case "think": plan.thinkTicksMax = value
    case "recovery": plan.recoveryTicks = value
    case "loss": plan.profile.lossPerMille = min(number, 1_000)
    case "duplicates": plan.profile.duplicatePerMille = min(number, 1_000)
    case "delay": plan.profile.delayTicksMax = min(number, 1_000)
    case "disk": plan.profile.diskTicksMax = min(number, 1_000)
    default: throw Reason(text: "'\(name)' is not known")
    }
  }
}
