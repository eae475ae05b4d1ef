import RaftCore

var c = try Cluster(3)
c.elect()
c.synchronizeClocks()
let payload = Bytes(repeating: 7, count: 16)
for batch in [1, 64] {
  for _ in 0..<5 {
    let t = ContinuousClock.now
    let n = 400_000 / batch
    for _ in 0..<n { try c.propose(payload, batch: batch) }
    let d = ContinuousClock.now - t
    print(batch, Double(n * batch) / (Double(d.components.attoseconds) / 1e18 + Double(d.components.seconds)))
  }
}
c.requireAgreement()
