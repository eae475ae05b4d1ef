/// What the registers of a ``RegisterBank`` answer to one client after another.
struct RegisterModel: SequentialModel {
  /// What a client may ask.
  enum Input: Hashable, Sendable {
    case read(UInt8)
    case command(RegisterBank.Command)
  }

  var initialState: UInt64 { 0 }

  func partition(of input: Input) -> UInt8 {
    switch input {
    case .read(let key): key
    case .command(let command): command.key
    }
  }

  func step(_ state: UInt64, _ input: Input, _ output: UInt64?) -> UInt64? {
    let (next, answer) = result(state, input)
    return output == nil || output == answer ? next : nil
  }

  private func result(_ state: UInt64, _ input: Input) -> (state: UInt64, answer: UInt64) {
    switch input {
    case .read: (state, state)
    case .command(.write(_, let value)): (value, value)
    case .command(.compareAndSet(_, let expected, let value)): state == expected ? (value, 1) : (state, 0)
    case .command(.add(_, let amount)): (state &+ amount, state &+ amount)
    }
  }

  func effect(of input: Input, _ output: UInt64?) -> OperationEffect<UInt64> {
    switch input {
    case .read: .observes(output)
    case .command(.write(_, let value)): .overwrites(with: value)
    case .command(.compareAndSet(_, let expected, let value)):
      output == 0 ? .observes(nil) : .leads(from: expected, to: value)
    case .command(.add(_, let amount)):
      output.map { .leads(from: $0 &- amount, to: $0) } ?? .unclear
    }
  }
}

extension RegisterBank.Command {
  /// The register that it is for.
  var key: UInt8 {
    switch self {
    case .write(let key, _), .compareAndSet(let key, _, _), .add(let key, _): key
    }
  }
}

extension RegisterSimulation {
  /// Judges what the clients saw by nothing but that.
  ///
  /// - Returns: What cannot be explained, in words; nil if all can.
  static func explain(_ operations: [RecordedOperation<RegisterBank>]) -> LinearizabilityVerdict {
    let history = operations.map { record in
      let input: RegisterModel.Input =
        switch record.operation {
        case .read(let query): .read(query.key)
        case .write(let command): .command(command)
        }
      let ending: ClientOperation<RegisterModel.Input, UInt64>.Ending =
        switch record.ending {
        case .written(let answer), .read(let answer): .completed(answer, at: record.end ?? record.start)
        case .notExecuted: .notExecuted
        case .unknown: .unknown
        }
      return ClientOperation(
        client: record.client, invocation: record.start, input: input, ending: ending)
    }
    return LinearizabilityChecker(RegisterModel()).check(history)
  }
}
