import Testing

@Suite("The linearizability checker")
struct LinearizabilityCheckerTests {
  private typealias Operation = LinearizabilityChecker.Operation

  private func judge(_ operations: (LinearizabilityChecker.Action, UInt64, UInt64?)...) -> Bool {
    LinearizabilityChecker.isLinearizable(operations.map { Operation(action: $0.0, start: $0.1, end: $0.2) })
  }

  @Test("it accepts what one register could have done")
  func acceptsGood() {
    #expect(judge((.write(1), 0, 10), (.read(1), 11, 12)))
    #expect(judge((.write(1), 0, 10), (.read(nil), 5, 6), (.read(1), 7, 8)))
    #expect(judge((.write(1), 0, nil), (.read(nil), 5, 6), (.read(1), 20, 30)))
    #expect(judge((.write(1), 0, nil), (.read(nil), 5, 6), (.read(nil), 20, 30)))
    #expect(judge((.write(1), 0, 10), (.write(2), 0, 10), (.read(1), 11, 12), (.read(1), 13, 14)))
    #expect(judge((.write(1), 0, 1), (.write(nil), 2, 3), (.read(nil), 4, 5)))
  }

  @Test("it rejects a stale read, a lost write, a write that comes back, and one that never was")
  func rejectsBad() {
    #expect(!judge((.write(1), 0, 1), (.write(2), 2, 3), (.read(1), 4, 5)))
    #expect(!judge((.write(1), 0, 1), (.read(nil), 2, 3)))
    #expect(!judge((.write(1), 0, nil), (.read(1), 5, 6), (.read(nil), 7, 8)))
    #expect(!judge((.write(1), 0, 1), (.read(3), 2, 3)))
    #expect(!judge((.write(1), 0, 10), (.read(1), 2, 3), (.read(nil), 4, 5)))
    #expect(!judge((.write(1), 5, 6), (.read(1), 0, 1)))
  }

  @Test("it copes with many operations at once, and with many unknown outcomes")
  func copesWithMany() {
    var operations: [Operation] = []
    for value in 0..<2_000 {
      let start = UInt64(value / 8 * 10)
      operations.append(
        Operation(action: .write(value), start: start, end: value % 20 == 0 ? nil : start + 9))
    }
    #expect(LinearizabilityChecker.isLinearizable(operations))
  }
}
