import RaftCore

// What values are to clients that speak JSON, and what their values are to others: a string is its text, and everything
// else keeps its kind.

extension StoredValue {
  /// What a JSON text, as ``JSONParser`` writes it, stands for.
  init(json text: Bytes) {
    let document = JSONDocument(text: text, members: [])
    guard text.count >= 2, document.kind == .string, let content = document.decodedString(at: 0..<text.count)
    else {
      self.init(kind: .json, payload: text)
      return
    }
    self.init(kind: .string, payload: content)
  }

  /// The value as a JSON text; nil if it is none.
  var json: Bytes? {
    switch kind {
    case .json: return payload
    case .bloomFilter: return nil
    case .string:
      guard let text = String(validating: payload, as: UTF8.self) else { return nil }
      var writer = JSONWriter(capacity: payload.count + 2)
      writer.write(text)
      return writer.bytes
    }
  }
}
