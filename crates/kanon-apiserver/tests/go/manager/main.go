// A manager in the manner of Go's controller frameworks, made of client-go alone: leader election, informers of every sort, a work queue,
// reconciliation with finalizers and server-side apply. The API server under test is its counterpart: tests/apiserver/go.rs
// starts two of it, kills what it pleases, and compares.
//
// It says what it does as lines of JSON (say.go) and obeys lines of its input: `state` (caches and counts), `chores` (one round of
// everything else that client-go does with a server), `stop`. The end of its input is `stop`, too.
package main

import (
	"bufio"
	"context"
	"flag"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
)

// What a manager is started with.
type options struct {
	kubeconfig string
	id         string
	accept     string
	lease      time.Duration
	workers    int
}

func main() {
	var given options
	flag.StringVar(&given.kubeconfig, "kubeconfig", "", "file with the server's address and a credential")
	flag.StringVar(&given.id, "id", "manager", "identity in the election")
	flag.StringVar(&given.accept, "accept", "application/vnd.kubernetes.protobuf,application/json",
		"what clients of built-in kinds accept")
	flag.DurationVar(&given.lease, "lease", 15*time.Second, "how long the others wait for a leader that is silent")
	flag.IntVar(&given.workers, "workers", 4, "how many objects are reconciled at a time")
	flag.Parse()
	listenToKlog()

	ctx, stop := context.WithCancel(context.Background())
	commands := make(chan string)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			commands <- lines.Text()
		}
		close(commands)
	}()
	if err := run(ctx, stop, given, commands); err != nil {
		say("failed", details{"error": err.Error()})
		os.Exit(1)
	}
	say("stopped", nil)
}

func run(ctx context.Context, stop context.CancelFunc, given options, commands <-chan string) error {
	defer stop()
	clients, err := connect(given.kubeconfig, given.accept)
	if err != nil {
		return err
	}
	if err := installDefinition(ctx, clients.extensions); err != nil {
		return err
	}

	// Events of both forms: the new one for what was reconciled, the older one as elections use it.
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: clients.typed.EventsV1()})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return err
	}
	defer broadcaster.Shutdown()
	older := record.NewBroadcaster(record.WithContext(context.WithoutCancel(ctx)))
	older.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: clients.typed.CoreV1().Events("")})
	defer older.Shutdown()

	caches := newCaches(clients)
	controller := newController(given.id, clients, caches, broadcaster.NewRecorder(scheme.Scheme, "example.io/sites"))
	if err := caches.start(ctx, controller); err != nil {
		return err
	}
	say("synced", nil)

	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "sites.example.io",
		resourcelock.ResourceLockConfig{
			Identity:      given.id,
			EventRecorder: older.NewRecorder(scheme.Scheme, corev1.EventSource{Component: given.id}),
		}, clients.config("election"), given.lease*2/3)
	if err != nil {
		return err
	}
	// The elector's own context ends after the controller's work, so that the lease is given back when nothing is written any more.
	electing, leave := context.WithCancel(context.Background())
	defer leave()
	working := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   given.lease,
		RenewDeadline:   given.lease * 2 / 3,
		RetryPeriod:     given.lease * 2 / 15,
		ReleaseOnCancel: true,
		Name:            "sites",
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {
				say("leads", nil)
				controller.work(ctx, given.workers)
				say("leads-no-more", nil)
				close(working)
			},
			// Comes after the lease was given back, when another may lead already.
			OnStoppedLeading: func() {},
			OnNewLeader:      func(id string) { say("leader", details{"leader": id}) },
		},
	})
	if err != nil {
		return err
	}
	elected := make(chan struct{})
	go func() {
		defer close(elected)
		elector.Run(electing)
	}()

	chores := newChores(given.id, clients, broadcaster, older)
	for {
		select {
		case command, open := <-commands:
			switch {
			case !open || command == "stop":
				stop()
				if elector.IsLeader() {
					<-working
				}
				leave()
				<-elected
				return nil
			case command == "state":
				say("state", details{"caches": caches.versions(), "counts": counts.all(), "leads": elector.IsLeader()})
			case command == "chores":
				go chores.round(ctx)
			}
		case <-elected:
			// As every manager does: whoever lost its lease ends, and is started anew by somebody else.
			return errLost
		}
	}
}
