//! The statuses of containers: all of a pod's go through their states together.

use serde_json::{Value, json};

use crate::{
    names,
    value::{int, list, text},
};

/// How a pod's containers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not started yet.
    Creating,
    /// The image cannot be pulled.
    NoImage,
    /// Running since then.
    Running { since: String, ready: bool },
    /// Ended for good.
    Ended(End),
    /// Ended, and waiting for the next start.
    BackOff(End),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) started: String,
    pub(super) finished: String,
    pub(super) code: i64,
}

impl End {
    fn value(&self, id: &str) -> Value {
        let reason = if self.code == 0 { "Completed" } else { "Error" };
        json!({"exitCode": self.code, "reason": reason, "startedAt": self.started, "finishedAt": self.finished,
            "containerID": id})
    }
}

/// What the containers are told from.
pub(super) struct Containers<'a> {
    pub(super) uid: &'a str,
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) state: &'a State,
    /// How the run before this one ended.
    pub(super) last: Option<&'a End>,
    pub(super) restarts: i64,
}

impl Containers<'_> {
    /// `containerStatuses`.
    pub(super) fn main(&self, spec: &Value) -> Value {
        list(&spec["containers"]).map(|it| self.one(it)).collect()
    }

    /// `initContainerStatuses`: done when the others start, or running beside them.
    pub(super) fn init(&self, spec: &Value) -> Value {
        let one = |it: &Value| {
            if it["restartPolicy"] == "Always" {
                return self.one(it);
            }
            let waits = matches!(self.state, State::Creating | State::NoImage);
            let mut status = self.base(it, 0);
            if waits {
                status["state"] = json!({"waiting": {"reason": "PodInitializing"}});
            } else {
                let at = self.first_start();
                let end = End { started: at.clone(), finished: at, code: 0 };
                status["state"] = json!({"terminated": end.value(&self.id(it, 0))});
                status["ready"] = true.into();
                status["containerID"] = self.id(it, 0).into();
            }
            status
        };
        list(&spec["initContainers"]).map(one).collect()
    }

    fn first_start(&self) -> String {
        match (self.state, self.last) {
            (State::Running { since, .. }, None) => since.clone(),
            (State::Ended(end) | State::BackOff(end), _) | (_, Some(end)) => end.started.clone(),
            (State::Creating | State::NoImage, None) => String::new(),
        }
    }

    fn one(&self, container: &Value) -> Value {
        let mut status = self.base(container, self.restarts);
        let (id, before) = (self.id(container, self.restarts), self.id(container, self.restarts - 1));
        let (name, image) = (text(&container["name"]), text(&container["image"]));
        if let Some(last) = self.last {
            status["lastState"] = json!({"terminated": last.value(&before)});
        }
        match self.state {
            State::Creating => status["state"] = json!({"waiting": {"reason": "ContainerCreating"}}),
            State::NoImage => {
                let message = format!("Back-off pulling image \"{image}\"");
                status["state"] = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
            }
            State::Running { since, ready } => {
                status["state"] = json!({"running": {"startedAt": since}});
                status["ready"] = (*ready).into();
                status["started"] = true.into();
                status["containerID"] = id.into();
            }
            State::Ended(end) => {
                status["state"] = json!({"terminated": end.value(&id)});
                status["containerID"] = id.into();
            }
            State::BackOff(end) => {
                let (pod, namespace, uid) = (self.name, self.namespace, self.uid);
                let delay = delay_text(back_off(self.restarts));
                let message =
                    format!("back-off {delay} restarting failed container={name} pod={pod}_{namespace}({uid})");
                status["state"] = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
                status["lastState"] = json!({"terminated": end.value(&id)});
                status["containerID"] = id.into();
            }
        }
        status
    }

    fn base(&self, container: &Value, restarts: i64) -> Value {
        let waits = matches!(self.state, State::Creating | State::NoImage);
        let image = text(&container["image"]);
        json!({"name": container["name"], "image": image, "imageID": if waits { "" } else { image },
            "lastState": {}, "ready": false, "started": false, "restartCount": restarts})
    }

    fn id(&self, container: &Value, run: i64) -> String {
        let run = run.to_string();
        format!("simulated://{}", names::digits(&[self.uid, text(&container["name"]), &run]))
    }
}

/// Seconds between an end and the next start, after so many restarts.
pub(super) fn back_off(restarts: i64) -> i64 {
    match u32::try_from(restarts) {
        Ok(0) | Err(_) => 0,
        Ok(count) => (10_i64 << (count - 1).min(5)).min(300),
    }
}

fn delay_text(seconds: i64) -> String {
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

/// How the containers are, read back from a status; `restarts` and the end of the last run beside it.
pub(super) fn read(status: &Value) -> (State, Option<End>, i64) {
    let Some(first) = list(&status["containerStatuses"]).next() else { return (State::Creating, None, 0) };
    let end = |it: &Value| End {
        started: text(&it["startedAt"]).to_owned(),
        finished: text(&it["finishedAt"]).to_owned(),
        code: int(&it["exitCode"]),
    };
    let last = first["lastState"].get("terminated").map(end);
    let (state, restarts) = (&first["state"], int(&first["restartCount"]));
    if let Some(running) = state.get("running") {
        let since = text(&running["startedAt"]).to_owned();
        return (State::Running { since, ready: first["ready"] == true }, last, restarts);
    }
    if let Some(terminated) = state.get("terminated") {
        return (State::Ended(end(terminated)), last, restarts);
    }
    match (text(&state["waiting"]["reason"]), last) {
        ("CrashLoopBackOff", Some(last)) => (State::BackOff(last), None, restarts),
        ("ImagePullBackOff" | "ErrImagePull", last) => (State::NoImage, last, restarts),
        (_, last) => (State::Creating, last, restarts),
    }
}
