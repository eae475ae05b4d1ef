import RaftCore

// Answers to what ``FieldReader`` reads in JSONPowers.swift.

extension JSONWriter {
  // MARK: - Writing

  /// Writes the answer to a write that has come about, or has found that it must not.
  mutating func write(_ outcome: KeyValueOutcome, for template: ReplyTemplate) {
    switch outcome {
    case .made(let version, let results):
      if template.kind == .batch { return writeBatch(version, results) }
      write(raw: #"{"type":"#)
      write(raw: template.typeText)
      writeEnd(of: results.first ?? .deleted)
      if template.wantsVersion {
        write(raw: #","version":"#)
        write(version)
      }
      write(raw: "}")
    case .refused(let refusal): write(refusal, for: template)
    case .done, .replies, .changed: writeDone(template.kind)
    }
  }

  private mutating func writeBatch(_ version: UInt64, _ results: [KeyChangeResult]) {
    write(raw: #"{"type":"batch","data":true,"version":"#)
    write(version)
    write(raw: #","results":"#)
    writeList(results) { writer, result in
      switch result {
      case .put: writer.write(raw: #"{"type":"put""#)
      case .deleted: writer.write(raw: #"{"type":"delete""#)
      case .number: writer.write(raw: #"{"type":"incr""#)
      }
      writer.writeEnd(of: result)
      writer.write(raw: "}")
    }
    write(raw: "}")
  }

  private mutating func writeEnd(of result: KeyChangeResult) {
    write(raw: #","data":true"#)
    guard case .number(let number) = result else { return }
    write(raw: #","value":"#)
    write(raw: NumberText.text(number))
  }

  private mutating func write(_ refusal: KeyChangeRefusal, for template: ReplyTemplate) {
    let code: String
    let message: String
    switch refusal.reason {
    case .condition:
      code = "condition_failed"
      message =
        refusal.version == 0
        ? "the condition does not hold: there is no such key"
        : "the condition does not hold; the version of the key is \(refusal.version)"
    case .notANumber:
      code = "not_a_number"
      message = "the value is no whole number of 64 bits, so nothing can be added to it"
    case .overflow:
      code = "overflow"
      message = "the sum would be no whole number of 64 bits"
    }
    writeError(
      type: template.typeText, code: code, message: message, mayBeExecuted: false
    ) { writer in
      if template.kind == .batch {
        writer.write(raw: #","operation":"#)
        writer.write(UInt64(refusal.position))
      }
      writer.write(raw: #","version":"#)
      writer.write(refusal.version)
    }
  }

  // MARK: - Reading

  /// Writes what a read has found.
  ///
  /// - Parameters:
  ///   - answer: What it has found.
  ///   - age: How old that may be, in milliseconds, if the request was not for what is current; inside, nil if that is not
  ///     known.
  ///   - template: The request.
  mutating func write(_ answer: KeyValueAnswer, _ age: UInt64??, for template: ReplyTemplate) {
    switch answer {
    case .value(let value): write(value: value, nil, age, for: template)
    case .found(let finding):
      let json = finding.value?.json
      guard finding.value == nil || json != nil else { return writeNotText(template) }
      write(value: json, finding, age, for: template)
    case .page(let page): write(page, age, for: template)
    case .namespacePage(let page): write(page, age)
    case .notText, .replies, .namespaces, .versions, .clock, .changes, .forgotten, .position:
      writeNotText(template)
    }
  }

  private mutating func writeNotText(_ template: ReplyTemplate) {
    writeError(
      type: template.typeText, code: "not_text", message: "the value is nothing that JSON can hold",
      mayBeExecuted: false)
  }

  private mutating func write(
    value: Bytes?, _ finding: KeyFinding?, _ age: UInt64??, for template: ReplyTemplate
  ) {
    let hasVersion = finding != nil && template.wantsVersion
    let hasTTL = finding != nil && template.wantsTTL
    let added = ["value"] + (hasVersion ? ["version"] : []) + (hasTTL ? ["ttl"] : [])
    write(raw: #"{"type":"get","data":"#)
    writeFields(of: template.document, replacing: age == nil ? added : added + ["age"])
    write(raw: #","value":"#)
    if let value { write(raw: value) } else { write(raw: "null") }
    if hasVersion {
      write(raw: #","version":"#)
      write(finding?.value?.version ?? 0)
    }
    if hasTTL {
      write(raw: #","ttl":"#)
      write(seconds: finding.flatMap { found in found.value?.expiry.map { $0 - min($0, found.time) } })
    }
    write(age)
    write(raw: "}}")
  }

  /// Writes milliseconds as seconds.
  private mutating func write(seconds milliseconds: UInt64?) {
    guard let milliseconds else { return write(raw: "null") }
    write(milliseconds / 1_000)
    guard milliseconds % 1_000 > 0 else { return }
    var digits = Bytes("\(1_000 + milliseconds % 1_000)".utf8.dropFirst())
    while digits.last == UInt8(ascii: "0") { digits.removeLast() }
    write(raw: ".")
    write(raw: digits)
  }

  private mutating func write(_ age: UInt64??) {
    guard let age else { return }
    write(raw: #","age":"#)
    if let age { write(age) } else { write(raw: "null") }
  }

  private mutating func write(_ page: KeyPage, _ age: UInt64??, for template: ReplyTemplate) {
    write(raw: #"{"type":"scan","data":"#)
    writeList(page.items) { writer, item in
      writer.write(raw: "{")
      writer.write(text: item.key, named: "key")
      if template.wantsValues { writer.write(member: item.value) }
      if template.wantsVersion {
        writer.write(raw: #","version":"#)
        writer.write(item.value.version)
      }
      writer.write(raw: "}")
    }
    writeCursor(page.next)
    write(raw: #","index":"#)
    write(page.index)
    write(age)
    write(raw: "}")
  }

  private mutating func write(_ page: NamespacePage, _ age: UInt64??) {
    write(raw: #"{"type":"namespaces","data":"#)
    writeList(page.names) { writer, name in
      guard let text = String(validating: name, as: UTF8.self) else {
        writer.write(raw: #"{"base64":""#)
        writer.write(raw: name.base64)
        return writer.write(raw: "\"}")
      }
      writer.write(text)
    }
    writeCursor(page.next)
    write(age)
    write(raw: "}")
  }

  private mutating func writeCursor(_ next: Bytes?) {
    write(raw: #","cursor":"#)
    guard let next else { return write(raw: "null") }
    write(raw: "\"")
    write(raw: next.hexadecimal)
    write(raw: "\"")
  }

  /// Writes a member that is text, or, if it is no UTF-8, its bytes in base 64 under another name.
  mutating func write(text: Bytes, named name: StaticString) {
    write(raw: "\"")
    write(raw: name)
    if let string = String(validating: text, as: UTF8.self) {
      write(raw: "\":")
      write(string)
    } else {
      write(raw: "_base64\":\"")
      write(raw: text.base64)
      write(raw: "\"")
    }
  }

  /// Writes a value as a member that follows others.
  mutating func write(member value: StoredValue) {
    if let json = value.json {
      write(raw: #","value":"#)
      write(raw: json)
    } else if value.kind == .string {
      write(raw: #","value_base64":""#)
      write(raw: value.payload.base64)
      write(raw: "\"")
    } else {
      write(raw: #","kind":"bloom_filter""#)
    }
  }

  mutating func writeLease(_ isOn: Bool) {
    write(raw: #"{"type":"lease","data":true,"on":"#)
    write(isOn)
    write(raw: "}")
  }
}
