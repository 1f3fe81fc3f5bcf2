// go.go - goroutines of one thread of the operating system (GOMAXPROCS 1), by the method of bench/measure.h.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"time"
)

const rounds, cold = 15, 100000

// Nanoseconds for one of op's operations: about 20 ms of them, rounds times, the median.
func measure(op func(n int)) float64 {
	n := 1000
	took := func() float64 {
		start := time.Now()
		op(n)
		return float64(time.Since(start).Nanoseconds())
	}
	ns := took()
	for ; ns <= 5e6; ns = took() {
		n *= 2
	}
	n = int(float64(n) * 20e6 / ns)
	var results [rounds]float64
	for i := range results {
		results[i] = took() / float64(n)
	}
	sort.Float64s(results[:])
	return results[rounds/2]
}

func say(operation string, value float64, what string) {
	fmt.Printf("%s\t%.3f\t%s %s\n", operation, value, runtime.Version(), what)
}

var turns int
var sum float64

func yields(done chan bool) {
	for turns > 0 {
		turns--
		runtime.Gosched()
	}
	done <- true
}

func yieldsAndComputes(done chan bool) {
	x := 1.0 / 3
	for turns > 0 {
		turns--
		x = x*1.0000001 + 0.1
		runtime.Gosched()
	}
	sum = x
	done <- true
}

func two(a, b func(chan bool), n int) {
	done := make(chan bool, 2)
	turns = n
	go a(done)
	go b(done)
	<-done
	<-done
}

func opMessage(n int) {
	c := make(chan int)
	go func() {
		for i := 0; i < n; i++ {
			c <- 1
		}
	}()
	for i := 0; i < n; i++ {
		<-c
	}
}

func opBuffered(n int) {
	c := make(chan int, 128)
	for i := 0; i < n; i += 64 {
		for k := 0; k < 64; k++ {
			c <- k
		}
		for k := 0; k < 64; k++ {
			<-c
		}
	}
}

func opSelect(n int) {
	a, b := make(chan int, 1), make(chan int, 1)
	a <- 1
	b <- 1
	for i := 0; i < n; i++ {
		select {
		case <-a:
			a <- 1
		case <-b:
			b <- 1
		}
	}
}

func nothing() {}

func opSpawn(n int) {
	for i := 0; i < n; i++ {
		go nothing()
		runtime.Gosched()
	}
}

func opTimer(n int) {
	for i := 0; i < n; i++ {
		time.AfterFunc(time.Hour, nothing).Stop()
	}
}

// Pages of this process that are in memory, in bytes.
func resident() float64 {
	var pages, ignored int
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &ignored, &pages)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return float64(pages * os.Getpagesize())
}

func idle() (spawnNs, bytes float64) {
	before, start := resident(), time.Now()
	for i := 0; i < cold; i++ {
		go func() { select {} }()
	}
	runtime.Gosched()
	return float64(time.Since(start).Nanoseconds()) / cold, (resident() - before) / cold
}

func main() {
	runtime.GOMAXPROCS(1)
	spawnNs, bytes := idle() // first: nothing has grown yet
	say("spawn-cold", spawnNs, "goroutine, cold")
	say("idle", bytes, "goroutine, no C stack")
	say("yield", measure(func(n int) { two(yields, yields, n) }), "Gosched")
	say("yield-mixed", measure(func(n int) { two(yields, yieldsAndComputes, n) }), "Gosched, one computes")
	say("message", measure(opMessage), "channel, unbuffered")
	say("buffered", measure(opBuffered), "channel of 128, a send and a receive")
	say("select", measure(opSelect), "select of two ready, and a send")
	say("spawn", measure(opSpawn), "go and Gosched")
	say("timer", measure(opTimer), "AfterFunc and Stop")
}
