import RaftCore

/// Something that takes bytes from a stranger.
protocol FuzzTarget {
  /// What inputs are made of, besides what the corpus has.
  static var ownSeeds: [Bytes] { get }

  /// Begins as in a new process, so that what happens depends on one block of inputs alone.
  init()

  /// Takes an input in pieces.
  ///
  /// - Throws: ``FuzzFailure`` if something is not as it must be.
  mutating func take(_ pieces: [Bytes]) throws(FuzzFailure)
}

/// A rule that an input has broken.
struct FuzzFailure: Error {
  var reason: String
}

/// More than any input may make a parser do: a loop that goes on for ever.
let stepsMax = 200_000
