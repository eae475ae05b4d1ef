import RaftCore
import RaftServer

extension Simulation where Machine == RegisterBank {
  /// The simulation of registers: writes of values that never repeat, compare-and-sets, additions, and reads.
  public static func ofRegisters(_ plan: SimulationPlan) -> Simulation<RegisterBank> {
    Simulation(of: RegisterBank(), plan: plan) { client, random in
      // Few registers, so that clients get into each other's way.
      let key = UInt8.random(in: 0..<4, using: &random)
      let value = random.next() >> 1 | 1
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<4: return .read(RegisterBank.Query(key: key))
      case 4..<7: return .write(.write(key: key, value: value))
      case 7: return .write(.compareAndSet(key: key, expected: 0, value: value))
      default: return .write(.add(key: key + 8, amount: UInt64(client) + 1))
      }
    }
  }
}
