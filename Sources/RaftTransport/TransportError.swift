import Glibc

/// Why a node cannot listen or dial.
public enum TransportError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Somebody listens there already.
  case addressInUse(String)
  /// The address belongs to no interface of this machine.
  case addressNotAvailable(String)
  /// The system does not let this process use the address: ports below 1,024 are reserved.
  case notPermitted(String)
  /// The host name has no address, or the resolver does not answer.
  case cannotResolve(host: String, reason: String)
  /// The text is no address.
  case badAddress(EndpointError)
  /// Any other refusal of the system.
  case system(operation: String, address: String, errorNumber: Int32)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .addressInUse(let address): "\(address) is already in use by another process"
    case .addressNotAvailable(let address): "\(address) is no address of this machine"
    case .notPermitted(let address): "this process is not permitted to listen on \(address)"
    case .cannotResolve(let host, let reason): "the host '\(host)' cannot be resolved: \(reason)"
    case .badAddress(let error): "\(error)"
    case .system(let operation, let address, let errorNumber):
      "\(operation) failed for \(address): \(describe(errorNumber: errorNumber))"
    }
  }

  /// Turns the error number of a failed system call into the error a caller can act on.
  init(operation: String, address: String, errorNumber: Int32) {
    switch errorNumber {
    case EADDRINUSE: self = .addressInUse(address)
    case EADDRNOTAVAIL: self = .addressNotAvailable(address)
    case EACCES, EPERM: self = .notPermitted(address)
    default: self = .system(operation: operation, address: address, errorNumber: errorNumber)
    }
  }
}

/// What the system says about an error number.
func describe(errorNumber: Int32) -> String {
  guard let text = strerror(errorNumber) else { return "error \(errorNumber)" }
  return String(cString: text)
}
