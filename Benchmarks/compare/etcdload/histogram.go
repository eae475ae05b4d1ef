package main

import "math/bits"

const bitsPerDoubling = 7

// histogram counts latencies in nanoseconds in the same buckets as RaftBench's LatencyHistogram.
type histogram struct {
	counts     [(64 - 6) << bitsPerDoubling]uint64
	count, sum uint64
	longest    uint64
}

func (h *histogram) record(value uint64) {
	bucket := value
	if value >= 1<<bitsPerDoubling {
		exponent := uint64(63 - bits.LeadingZeros64(value) - bitsPerDoubling)
		bucket = exponent<<bitsPerDoubling + value>>exponent
	}
	h.counts[bucket]++
	h.count++
	h.sum += value
	if value > h.longest {
		h.longest = value
	}
}

func (h *histogram) add(other *histogram) {
	for bucket, count := range other.counts {
		h.counts[bucket] += count
	}
	h.count += other.count
	h.sum += other.sum
	if other.longest > h.longest {
		h.longest = other.longest
	}
}

func (h *histogram) percentile(percent float64) uint64 {
	rank := uint64(percent / 100 * float64(h.count))
	if float64(rank) < percent/100*float64(h.count) || rank == 0 {
		rank++
	}
	seen := uint64(0)
	for bucket, count := range h.counts {
		seen += count
		if count > 0 && seen >= rank {
			bound := uint64(bucket)
			if bound >= 2<<bitsPerDoubling {
				exponent := bound>>bitsPerDoubling - 1
				bound = (bound-exponent<<bitsPerDoubling+1)<<exponent - 1
			}
			if bound > h.longest {
				return h.longest
			}
			return bound
		}
	}
	return h.longest
}

func (h *histogram) summary() map[string]float64 {
	summary := map[string]float64{"count": float64(h.count), "mean": 0}
	if h.count > 0 {
		summary["mean"] = float64(h.sum/h.count) / 1e3
	}
	for name, percent := range map[string]float64{"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9, "max": 100} {
		summary[name] = float64(h.percentile(percent)) / 1e3
	}
	return summary
}
