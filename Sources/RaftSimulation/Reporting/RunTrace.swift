/// A run as text.
public enum RunTrace {
  public static func text(of recording: RunRecording) -> [String] {
    recording.events.map { "\($0.tick) \($0.node) \($0.kind)" }
  }
}
enum _X {}
public enum SpaceTimeDiagram { public static func html(of r: RunRecording) -> String { "" } }
