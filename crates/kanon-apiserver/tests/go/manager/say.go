package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

var errLost = errors.New("the lease was lost")

// What belongs to a line.
type details map[string]any

var saying sync.Mutex

// Prints one line of JSON: what happened, when, and what belongs to it.
func say(what string, more details) {
	line := details{"event": what, "time": time.Now().UTC().Format(time.RFC3339Nano)}
	for name, value := range more {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		text = []byte(`{"event":"problem","error":"a line that is no JSON"}`)
	}
	saying.Lock()
	defer saying.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

// Something that should never happen.
func problem(where string, err error) {
	say("problem", details{"where": where, "error": err.Error()})
}

// Numbers by name.
type counters struct {
	sync.Mutex
	by map[string]int
}

var counts = counters{by: map[string]int{}}

func (c *counters) add(name string) {
	c.Lock()
	defer c.Unlock()
	c.by[name]++
}

func (c *counters) all() map[string]int {
	c.Lock()
	defer c.Unlock()
	copied := make(map[string]int, len(c.by))
	for name, number := range c.by {
		copied[name] = number
	}
	return copied
}

// Takes what the libraries log: warnings and errors become lines of ours.
type logged struct{}

func (logged) Write(text []byte) (int, error) {
	if line := strings.TrimSpace(string(text)); line != "" && line[0] != 'I' {
		say("log", details{"severity": line[:1], "text": line})
	}
	return len(text), nil
}

func listenToKlog() {
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{
		"logtostderr": "false", "alsologtostderr": "false", "one_output": "true", "stderrthreshold": "FATAL",
	} {
		if err := flags.Set(name, value); err != nil {
			problem("klog", err)
		}
	}
	klog.SetOutput(logged{})
}

// Takes the warnings that come with answers.
type warnings struct{}

func (warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	say("warned", details{"text": text})
}
