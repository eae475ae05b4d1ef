// etcdload puts the workloads of `raftnode bench` on etcd, through etcd's own client, and prints the same JSON.
//
// Each of -clients goroutines sends its next request when the one before is answered. They share -connections gRPC
// clients, each of which knows all endpoints and takes them in turn.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/status"
)

var (
	endpoints   = flag.String("endpoints", "127.0.0.1:2379", "addresses, separated by commas")
	clients     = flag.Int("clients", 64, "requests under way")
	connections = flag.Int("connections", 8, "gRPC clients that they share")
	duration    = flag.Duration("duration", 10*time.Second, "how long it is measured")
	warmup      = flag.Duration("warmup", time.Second, "how long it runs before that")
	requests    = flag.Int64("requests", 0, "end after so many requests instead, keys in order")
	valueBytes  = flag.Int("value-bytes", 100, "bytes of a value")
	keys        = flag.Int64("keys", 100000, "how many different keys")
	readShare   = flag.Float64("reads", 0, "which part of the requests are reads")
	patience    = flag.Duration("timeout", 10*time.Second, "how long a request may take")
)

// How long a client sends nothing after an error, as in `raftnode bench`.
const pause = 5 * time.Millisecond

var (
	start, measuredFrom, end time.Time
	issued                   int64
	lastSuccess              int64
	value                    string
)

// worker is one client, and what it has measured.
type worker struct {
	reads, writes histogram
	errors        map[string]int64
	examples      map[string]string
	longestGap    int64
}

func (w *worker) run(client *clientv3.Client, seed int64) {
	random := rand.New(rand.NewSource(seed))
	w.errors, w.examples = map[string]int64{}, map[string]string{}
	for {
		number := atomic.AddInt64(&issued, 1) - 1
		key := random.Int63n(*keys)
		if *requests > 0 {
			if number >= *requests {
				return
			}
			key = number % *keys
		}
		isRead := *readShare > 0 && random.Float64() < *readShare
		name := fmt.Sprintf("key:%012d", key)
		began := time.Now()
		if *requests == 0 && !began.Before(end) {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), *patience)
		var err error
		if isRead {
			_, err = client.Get(ctx, name)
		} else {
			_, err = client.Put(ctx, name, value)
		}
		cancel()
		now := time.Now()
		isMeasured := *requests > 0 || !now.Before(measuredFrom) && now.Before(end)
		if err != nil {
			if isMeasured {
				code := status.Code(err).String()
				w.errors[code]++
				w.examples[code] = err.Error()
			}
			time.Sleep(pause)
			continue
		}
		if !isMeasured {
			continue
		}
		if isRead {
			w.reads.record(uint64(now.Sub(began)))
		} else {
			w.writes.record(uint64(now.Sub(began)))
		}
		w.succeeded(now.Sub(start))
	}
}

func (w *worker) succeeded(at time.Duration) {
	before := atomic.SwapInt64(&lastSuccess, int64(at))
	if gap := int64(at) - before; gap > w.longestGap {
		w.longestGap = gap
	}
}

func processorSeconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "etcdload:", err)
	os.Exit(69)
}

func connect(all []string) []*clientv3.Client {
	var made []*clientv3.Client
	for n := 0; n < *connections; n++ {
		// Each begins at another endpoint, so that few connections are spread as well.
		turned := append(append([]string{}, all[n%len(all):]...), all[:n%len(all)]...)
		client, err := clientv3.New(clientv3.Config{
			Endpoints: turned, DialTimeout: 5 * time.Second,
			DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second,
		})
		if err != nil {
			fail(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if _, err := client.Get(ctx, "key:000000000000"); err != nil {
			fail(fmt.Errorf("%s: %w", *endpoints, err))
		}
		cancel()
		made = append(made, client)
	}
	return made
}

func main() {
	flag.Parse()
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(os.NewFile(0, ""), os.NewFile(0, ""), os.NewFile(0, "")))
	if *clients < 1 || *connections < 1 || *keys < 1 {
		fail(fmt.Errorf("clients, connections and keys must be 1 at least"))
	}
	if *connections > *clients {
		*connections = *clients
	}
	value = strings.Repeat("x", *valueBytes)
	made := connect(strings.Split(*endpoints, ","))
	if *requests > 0 {
		*warmup = 0
	}
	start = time.Now()
	measuredFrom = start.Add(*warmup)
	end = measuredFrom.Add(*duration)
	lastSuccess = int64(*warmup)
	workers := make([]worker, *clients)
	var group sync.WaitGroup
	for n := range workers {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			workers[n].run(made[n%len(made)], int64(n)+1)
		}(n)
	}
	time.Sleep(time.Until(measuredFrom))
	used := processorSeconds()
	finished := make(chan struct{})
	go func() {
		group.Wait()
		close(finished)
	}()
	// Requests that a node does not answer are not waited for.
	if *requests > 0 {
		<-finished
	} else {
		select {
		case <-finished:
		case <-time.After(time.Until(end) + *patience + time.Second):
		}
	}
	now := time.Now()
	if *requests == 0 {
		now = end
	}
	report(workers, now.Sub(measuredFrom), processorSeconds()-used, int64(now.Sub(start))-lastSuccess)
}

func report(workers []worker, measured time.Duration, used float64, longestGap int64) {
	var reads, writes, all histogram
	errors, examples := map[string]int64{}, map[string]string{}
	failed := int64(0)
	for n := range workers {
		w := &workers[n]
		reads.add(&w.reads)
		writes.add(&w.writes)
		if w.longestGap > longestGap {
			longestGap = w.longestGap
		}
		for code, count := range w.errors {
			errors[code] += count
			failed += count
			examples[code] = w.examples[code]
		}
	}
	all.add(&reads)
	all.add(&writes)
	text, _ := json.Marshal(map[string]interface{}{
		"nodes": strings.Split(*endpoints, ","), "protocol": "grpc", "clients": *clients,
		"connections": *connections, "pipeline": 1, "value_bytes": *valueBytes, "keys": *keys,
		"distribution": "uniform", "read_share": *readShare, "rate": nil, "seconds": measured.Seconds(),
		"succeeded": all.count, "failed": failed, "throughput": float64(all.count) / measured.Seconds(),
		"latency_us": all.summary(), "reads_us": reads.summary(), "writes_us": writes.summary(),
		"errors": errors, "error_examples": examples, "longest_gap_ms": float64(longestGap) / 1e6,
		"reconnections": 0, "generator_cpu_seconds": used,
	})
	fmt.Println(string(text))
}
