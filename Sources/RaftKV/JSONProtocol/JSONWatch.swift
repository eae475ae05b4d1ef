import RaftCore

/// What a client wants to follow.
public struct WatchRequest: Hashable, Sendable {
  /// The name that the client has given to it, as JSON text; nil if it has none.
  public var id: Bytes?
  /// Which changes.
  public var filter: KeyFilter
  /// The log index from which on changes are wanted; nil for those to come.
  public var from: UInt64?
  /// Whether the client wants to know how far it has been told everything, also when that is nothing.
  public var hasProgress = false
}

extension FieldReader {
  /// The longest name of a watch, in bytes of its JSON text.
  private static let idBytesMax = 256

  func watch() throws(RequestRefusal) -> WatchRequest {
    let id = try watchID()
    var from: UInt64?
    if document.value(of: JSONRequest.Field.from) != nil {
      guard let index: UInt64 = document.wholeNumber(JSONRequest.Field.from), index < 1 << 53 else {
        throw refusal(.badWatch, "'from' is a log index, as events tell it")
      }
      from = index
    }
    let hasKey = document.value(of: JSONRequest.Field.key) != nil
    let hasProgress = document.isTrue(JSONRequest.Field.progress)
    guard let range = document.value(of: JSONRequest.Field.prefix) else {
      return WatchRequest(
        id: id, filter: KeyFilter(namespace: try namespace(), key: try key(), isPrefix: false), from: from,
        hasProgress: hasProgress)
    }
    guard !hasKey, document.kind(of: range) == .string, let prefix = document.decodedString(at: range),
      prefix.count <= options.keyBytesMax
    else {
      throw refusal(
        .badWatch,
        "a watch has a 'key', or a 'prefix', which is a string of at most \(options.keyBytesMax) bytes")
    }
    return WatchRequest(
      id: id, filter: KeyFilter(namespace: try namespace(), key: prefix, isPrefix: true), from: from,
      hasProgress: hasProgress)
  }

  func watchID() throws(RequestRefusal) -> Bytes? {
    guard let range = document.value(of: JSONRequest.Field.id) else { return nil }
    guard [.string, .number].contains(document.kind(of: range)), range.count <= Self.idBytesMax else {
      throw refusal(
        .badWatch, "an 'id' is a string or a number of at most \(Self.idBytesMax) bytes of JSON")
    }
    return Bytes(document.text[range])
  }
}

/// What one connection follows.
struct WatchTable: Sendable {
  /// The most watches.
  let watchesMax: Int

  private struct Watch {
    let id: Bytes?
    let filter: KeyFilter
    var position: HistoryPosition
    let hasProgress: Bool
    /// The last index that the client was told.
    var toldIndex: UInt64

    var bytes: Int { filter.key.count + filter.namespace.count + (id?.count ?? 0) + 128 }
  }

  /// Once events take so many bytes, others get their turn.
  private static let pageBytes = 64 << 10
  /// How far the log goes on until a client that is told nothing else is told that.
  static let progressEntries: UInt64 = 100

  private var list: [Watch] = []
  /// The one that was asked for last.
  private var turn = 0

  init(watchesMax: Int) { self.watchesMax = watchesMax }

  var count: Int { list.count }
  var isEmpty: Bool { list.isEmpty }
  /// How much memory it takes.
  var bytes: Int { list.reduce(0) { $0 + $1.bytes } }

  mutating func removeAll() { list = [] }

  /// Begins or ends a watch, if that is what an answer says that is about to be sent.
  ///
  /// - Parameters:
  ///   - answer: The answer.
  ///   - mayBegin: Whether the client can still be told something.
  /// - Returns: What is to be sent instead, if that is impossible.
  mutating func note(_ answer: ClientAnswer, mayBegin: Bool) -> RequestRefusal? {
    switch answer {
    case .watching(let request, .success(let index)):
      guard !list.contains(where: { $0.id == request.id }) else {
        return RequestRefusal(
          .badWatch, "the connection has a watch of this 'id' already", type: Bytes(#""watch""#.utf8))
      }
      guard list.count < watchesMax else {
        return RequestRefusal(
          .tooManyWatches, "the connection has \(watchesMax) watches; it may not have more",
          type: Bytes(#""watch""#.utf8))
      }
      guard mayBegin else { return nil }
      list.append(
        Watch(
          id: request.id, filter: request.filter, position: HistoryPosition(index: index),
          hasProgress: request.hasProgress, toldIndex: index))
    case .unwatched(let id):
      guard let position = list.firstIndex(where: { $0.id == id }) else {
        return RequestRefusal(
          .noWatch, "the connection has no watch of this 'id', or not any more",
          type: Bytes(#""unwatch""#.utf8))
      }
      list.remove(at: position)
    default: break
    }
    return nil
  }

  mutating func nextQuery() -> ChangeQuery? {
    guard !list.isEmpty else { return nil }
    turn = max(turn + 1, 0) % list.count
    return ChangeQuery(
      filter: list[turn].filter, position: list[turn].position, bytesMax: Self.pageBytes)
  }

  /// Takes what the last query was answered.
  mutating func take(_ answer: KeyValueAnswer) -> (lines: Bytes, hasMore: Bool) {
    guard turn < list.count else { return ([], false) }
    var writer = JSONWriter()
    switch answer {
    case .changes(let page):
      for item in page.items { writer.write(item, id: list[turn].id) }
      list[turn].position = page.next
      if let last = page.items.last { list[turn].toldIndex = last.event.index }
      let index = page.next.index - min(page.next.index, 1)
      if list[turn].hasProgress, page.isAll, index >= list[turn].toldIndex + Self.progressEntries {
        list[turn].toldIndex = index
        writer.writeProgress(index, id: list[turn].id)
      }
      return (writer.bytes, !page.isAll)
    case .forgotten(let oldest):
      let watch = list.remove(at: turn)
      // The one behind it has its place now, and its turn next.
      turn -= 1
      writer.writeEnd(ofWatch: watch.id, at: watch.position.index, oldest: oldest)
      return (writer.bytes, false)
    default: return ([], false)
    }
  }
}

extension JSONWriter {
  private mutating func write(id: Bytes?) {
    guard let id else { return }
    write(raw: #","id":"#)
    write(raw: id)
  }

  /// Writes that a watch has begun.
  mutating func write(_ request: WatchRequest, from index: UInt64) {
    write(raw: #"{"type":"watch","data":true"#)
    write(id: request.id)
    write(raw: #","from":"#)
    write(index)
    write(raw: "}")
  }

  /// Writes a line that tells a change.
  fileprivate mutating func write(_ item: ChangePage.Item, id: Bytes?) {
    write(raw: #"{"type":"event""#)
    write(id: id)
    write(raw: #","index":"#)
    write(item.event.index)
    write(raw: ",")
    switch item.event.content {
    case .put(let value):
      write(text: item.event.key, named: "key")
      write(member: value)
    case .deleted:
      write(text: item.event.key, named: "key")
      write(raw: #","deleted":true"#)
    case .expired:
      write(text: item.event.key, named: "key")
      write(raw: #","expired":true"#)
    case .cleared: write(raw: #""cleared":true"#)
    }
    if item.hasMore { write(raw: #","more":true"#) }
    write(raw: "}\n")
  }

  /// Writes a line that tells that everything up to an index was told.
  fileprivate mutating func writeProgress(_ index: UInt64, id: Bytes?) {
    write(raw: #"{"type":"progress""#)
    write(id: id)
    write(raw: #","index":"#)
    write(index)
    write(raw: "}\n")
  }

  /// Writes a line that tells why a watch has ended.
  fileprivate mutating func writeEnd(ofWatch id: Bytes?, at index: UInt64, oldest: UInt64) {
    writeError(
      type: Bytes(#""watch""#.utf8), code: "compacted",
      message: "not all changes from log index \(index) on are kept; read anew, and watch from there",
      mayBeExecuted: false
    ) { writer in
      writer.write(id: id)
      writer.write(raw: #","from":"#)
      writer.write(index)
      writer.write(raw: #","oldest":"#)
      writer.write(oldest)
    }
    write(raw: "\n")
  }
}
