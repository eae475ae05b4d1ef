import RaftCore

// What values are to clients that speak JSON, and what their values are to others: a string is its text, and everything
// else keeps its kind.

extension StoredValue {
  /// What a JSON text, as ``JSONParser`` writes it, stands for.
  init(json text: Bytes) {
    let document = JSONDocument(text: text, members: [])
    guard text.count >= 2, document.kind == .string else {
      self.init(kind: .json, payload: text)
      return
    }
    let inside = Bytes(text[1..<(text.count - 1)])
    // Most strings stand for themselves.
    guard let content = inside.isPlainInJSON ? inside : document.decodedString(at: 0..<text.count) else {
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
      guard payload.isPlainInJSON else {
        writer.write(text)
        return writer.bytes
      }
      writer.write(raw: "\"")
      writer.write(raw: payload)
      writer.write(raw: "\"")
      return writer.bytes
    }
  }
}

extension Bytes {
  /// Whether a JSON string of these bytes has no escapes: no quotes, backslashes or control characters. Looks at eight bytes
  /// at a time.
  fileprivate var isPlainInJSON: Bool {
    withUnsafeBytes { bytes in
      let ones: UInt64 = 0x0101_0101_0101_0101
      let highs = ones << 7
      var offset = 0
      while offset + 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5C)
        let controls = (word &- ones &* 0x20) & ~word
        let found = controls | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
        if found & highs != 0 { return false }
        offset += 8
      }
      while offset < bytes.count {
        if bytes[offset] < 0x20 || bytes[offset] == 0x22 || bytes[offset] == 0x5C { return false }
        offset += 1
      }
      return true
    }
  }
}
