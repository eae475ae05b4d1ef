/// How hostile a simulated world is. Chances are in thousandths, per message or per tick as said.
public struct SimulationOptions: Hashable, Sendable {
  /// How many nodes there are, 1 to 9.
  public var nodes = 3
  /// How many ticks the hostile phase lasts.
  public var hostileTicks: UInt64 = 2_000
  /// Within how many ticks the healed cluster must have a leader, agree, and answer.
  public var recoveryTicks: UInt64 = 1_000
  /// How many clients there are; each works on one operation after the other, at a node of its choice.
  public var clients = 8
  /// The longest time a frame travels, in ticks.
  public var delayTicksMax = 4
  /// The longest time a write takes, in ticks.
  public var diskTicksMax = 3
  /// Chance that a protocol message is lost.
  public var lossPerMille = 20
  /// Chance that a protocol message arrives twice.
  public var duplicatePerMille = 20
  /// Chance per tick that a connection breaks, with all that is on its way in it.
  public var breakPerMille = 10
  /// Chance per tick that a node crashes; it restarts after a while from what its disk held.
  public var crashPerMille = 5
  /// Chance per tick that a node is paused for a while, and learns of it only afterwards.
  public var pausePerMille = 5
  /// Chance per tick that the network is cut anew: into two parts, in one direction, or not at all.
  public var partitionPerMille = 10

  /// The defaults: rough weather.
  public init() {}
}
