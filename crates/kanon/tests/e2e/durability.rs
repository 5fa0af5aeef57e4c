//! What was acknowledged is there after kill -9 and restart; what ends, ends cleanly.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::harness::Up;

#[test]
fn everything_acknowledged_survives_kill_and_restart() {
    let mut scratch = Some(tempfile::tempdir().expect("a scratch folder"));
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let up = Up::start_with::<&str>(scratch.take().expect("a folder"), &[]);
        let names = up.kubectl("get configmaps -o name").ok();
        for name in &acknowledged {
            assert!(names.contains(&format!("configmap/{name}\n")), "{name} is lost:\n{names}");
        }
        let (made, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let (up, made, stop) = (&up, &made, &stop);
                scope.spawn(move || {
                    for n in 0.. {
                        let name = format!("r{round}-w{writer}-{n}");
                        if stop.load(Ordering::Acquire) {
                            return;
                        }
                        if up.kubectl(&format!("create configmap {name} --from-literal=a=b")).code == Some(0) {
                            made.lock().expect("unpoisoned").push(name);
                        }
                    }
                });
            }
            // In the middle of writing.
            while made.lock().expect("unpoisoned").len() < 4 {
                std::thread::sleep(Duration::from_millis(10));
            }
            up.crash();
            stop.store(true, Ordering::Release);
        });
        acknowledged.extend(made.into_inner().expect("unpoisoned"));
        scratch = Some(up.kill());
    }
    assert!(acknowledged.len() >= 12, "too little was written to prove anything: {acknowledged:?}");
    let up = Up::start_with::<&str>(scratch.take().expect("a folder"), &[]);
    let names = up.kubectl("get configmaps -o name").ok();
    for name in &acknowledged {
        assert!(names.contains(&format!("configmap/{name}\n")), "{name} is lost:\n{names}");
    }
    assert!(up.kanon(&["log", "verify"]).ok().starts_with("ok: "));
}

#[test]
fn it_ends_cleanly_and_comes_back_with_its_data() {
    let up = Up::start();
    up.kubectl("create configmap kept --from-literal=a=b").ok();
    let version = up.kubectl("get configmap kept -o jsonpath={.metadata.resourceVersion}").ok();
    let (code, scratch) = up.stop();
    assert_eq!(code, Some(0));
    let up = Up::start_with::<&str>(scratch, &[]);
    assert_eq!(up.kubectl("get configmap kept -o jsonpath={.metadata.resourceVersion}").ok(), version);
    up.kubectl("create configmap later").ok();
    let later: u64 =
        up.kubectl("get configmap later -o jsonpath={.metadata.resourceVersion}").ok().parse().expect("a number");
    assert!(later > version.parse().expect("a number"));
}
