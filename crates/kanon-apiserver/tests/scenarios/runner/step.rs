//! Steps at work: what is sent, what came, and whether it is as expected.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    file::Step,
    http::{Answer, Client, Lines, Sent},
    kubectl::{Kubectl, Running, Said, split},
    matching,
    values::Values,
    words,
};

/// Between two tries of a step that may take its time.
const AGAIN: Duration = Duration::from_millis(20);
/// How long a look at something that goes on may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Where steps happen: the clients, and what earlier steps left behind.
pub(super) struct Stage {
    pub(super) client: Client,
    kubectl: Option<Kubectl>,
    values: Values,
    watches: BTreeMap<String, Lines>,
    commands: BTreeMap<String, Running>,
    any_version: bool,
}

/// What a step led to.
enum Came {
    Answer(Answer),
    Said(Said),
    Nothing,
}

impl Stage {
    pub(super) fn new(client: Client, kubectl: Option<Kubectl>, values: Values, any_version: bool) -> Stage {
        Stage { client, kubectl, values, watches: BTreeMap::new(), commands: BTreeMap::new(), any_version }
    }

    /// A text with its values.
    pub(super) fn text(&self, text: &str) -> Result<String, String> {
        self.values.text(text)
    }

    /// Plays a step, again while it may and is not as expected.
    pub(super) async fn play(&mut self, step: &Step) -> Result<(), String> {
        let end = Instant::now() + step.eventually.unwrap_or_default();
        loop {
            let result = self.once(step).await;
            if result.is_ok() || Instant::now() >= end {
                return result;
            }
            sleep(AGAIN).await;
        }
    }

    async fn once(&mut self, step: &Step) -> Result<(), String> {
        let came = if let Some(request) = &step.request {
            self.request(step, request).await?
        } else if let Some(command) = &step.kubectl {
            self.command(step, command).await?
        } else {
            let name = step.see.clone().unwrap_or_default();
            self.look(step, &name).await?
        };
        match came {
            Came::Answer(answer) => self.check_answer(step, &answer),
            Came::Said(said) => self.check_said(step, &said),
            Came::Nothing => Ok(()),
        }
    }

    async fn request(&mut self, step: &Step, request: &str) -> Result<Came, String> {
        let request = self.values.text(request)?;
        let (method, path) = request.split_once(' ').ok_or("a request is `METHOD /path`")?;
        let mut headers = BTreeMap::new();
        for (name, value) in &step.with {
            headers.insert(name.to_ascii_lowercase(), self.values.text(value)?);
        }
        let body = match (&step.send, &step.text, &step.hex) {
            (Some(value), None, None) => Some(self.values.value(value)?.to_string().into_bytes()),
            (None, Some(text), None) => Some(self.values.text(text)?.into_bytes()),
            (None, None, Some(digits)) => Some(bytes_of(digits)?),
            (None, None, None) => None,
            _ => return Err("one of send, text and hex".to_owned()),
        };
        if body.is_some() {
            let content_type = step.content_type.clone().unwrap_or_else(|| "application/json".to_owned());
            headers.insert("content-type".to_owned(), content_type);
        }
        let body = body.unwrap_or_default();
        let anonymous = step.anonymous;
        let sent = Sent { method: method.to_owned(), path: path.trim().to_owned(), headers, body, anonymous };
        let Some(name) = &step.follow else { return self.client.ask(&sent).await.map(Came::Answer) };
        let (head, lines) = self.client.follow(&sent).await?;
        self.watches.insert(name.clone(), lines);
        Ok(Came::Answer(head))
    }

    async fn command(&mut self, step: &Step, command: &str) -> Result<Came, String> {
        let kubectl = self.kubectl.as_ref().ok_or("there is no kubectl")?;
        if step.from_minor.is_some_and(|it| kubectl.minor().is_some_and(|minor| minor < it)) {
            return Ok(Came::Nothing);
        }
        let args = split(&self.values.text(command)?)?;
        let input = match step.stdin.as_ref().map(|it| self.values.value(it)).transpose()? {
            None => String::new(),
            Some(Value::String(text)) => text,
            Some(value) => value.to_string(),
        };
        let mut env = BTreeMap::new();
        for (name, value) in &step.env {
            env.insert(name.clone(), self.values.text(value)?);
        }
        let mut running = kubectl.start(&args, &input, &env)?;
        if let Some(name) = &step.background {
            self.commands.insert(name.clone(), running);
            return Ok(Came::Nothing);
        }
        running.end().await.map(Came::Said)
    }

    async fn look(&mut self, step: &Step, name: &str) -> Result<Came, String> {
        let limit = step.within.unwrap_or(WITHIN);
        if self.watches.contains_key(name) {
            return self.look_at_watch(step, name, limit).await;
        }
        if step.ends {
            let mut running = self.commands.remove(name).ok_or_else(|| format!("nothing is called `{name}`"))?;
            return running.end().await.map(Came::Said);
        }
        let end = Instant::now() + limit;
        loop {
            let running = self.commands.get(name).ok_or_else(|| format!("nothing is called `{name}`"))?;
            let said = running.said();
            let result = self.check_said(step, &said);
            if result.is_ok() {
                return Ok(Came::Nothing);
            }
            if Instant::now() > end {
                return result.map(|()| Came::Nothing);
            }
            sleep(AGAIN).await;
        }
    }

    async fn look_at_watch(&mut self, step: &Step, name: &str, limit: Duration) -> Result<Came, String> {
        for event in &step.events {
            let want = self.values.value(event)?;
            loop {
                let lines = self.watches.get_mut(name).ok_or("no such watch")?;
                let got = lines.next(limit).await.map_err(|it| format!("{it}; wanted {want}"))?;
                let got = got.ok_or_else(|| format!("the watch ended; wanted {want}"))?;
                if got["type"] == "BOOKMARK" && want["type"] != "BOOKMARK" {
                    continue;
                }
                matching::check(&want, &got, false).map_err(|it| format!("event:\n  {it}"))?;
                for (variable, place) in &step.save {
                    self.values.set(variable, at(&got, place)?);
                }
                break;
            }
        }
        if step.ends {
            let lines = self.watches.get_mut(name).ok_or("no such watch")?;
            while let Some(line) = lines.next(limit).await? {
                if line["type"] != "BOOKMARK" {
                    return Err(format!("the watch goes on: {line}"));
                }
            }
        }
        Ok(Came::Nothing)
    }

    fn check_answer(&mut self, step: &Step, answer: &Answer) -> Result<(), String> {
        let said = || format!("{} {}", answer.status, shortened(&answer.text()));
        if step.status.is_some_and(|it| it != answer.status) {
            return Err(format!("wanted status {:?}, got {}", step.status, said()));
        }
        for (name, want) in &step.headers {
            let got: Vec<Value> =
                answer.headers.get_all(name).iter().filter_map(|it| it.to_str().ok()).map(Value::from).collect();
            let want = self.values.value(want)?;
            let result = match (&want, got.as_slice()) {
                (Value::String(mark), []) if mark == "<absent>" => Ok(()),
                (Value::Array(_), _) => matching::check(&want, &Value::Array(got), true),
                (_, [one]) => matching::check(&want, one, true),
                (_, got) => Err(format!("wanted {want}, got {got:?}")),
            };
            result.map_err(|it| format!("header {name}: {it}"))?;
        }
        if let Some(want) = &step.body {
            let (want, got) = self.in_common_words(self.values.value(want)?, answer.value());
            matching::check(&want, &got, false).map_err(|it| format!("body:\n  {it}\nin {}", said()))?;
        }
        if let Some(want) = &step.exact {
            let (want, got) = self.in_common_words(self.values.value(want)?, answer.value());
            matching::check(&want, &got, true).map_err(|it| format!("body:\n  {it}\nin {}", said()))?;
        }
        if !step.events.is_empty() {
            let want: Vec<Value> = step.events.iter().map(|it| self.values.value(it)).collect::<Result<_, _>>()?;
            let marked = want.iter().any(|it| it["type"] == "BOOKMARK");
            let got = answer.lines().into_iter().filter(|it| marked || it["type"] != "BOOKMARK").collect();
            let got = Value::Array(got);
            matching::check(&Value::Array(want), &got, false)
                .map_err(|it| format!("events:\n  {it}\nin {}", shortened(&got.to_string())))?;
        }
        self.check_texts(&step.out, &step.lacks, &answer.text())?;
        for (name, place) in &step.save {
            let value = match place.strip_prefix("header ") {
                Some(header) => {
                    let value = answer.headers.get(header).and_then(|it| it.to_str().ok());
                    value.map(Value::from).ok_or_else(|| format!("there is no header {header}"))?
                }
                None => at(&answer.value(), place)?,
            };
            self.values.set(name, value);
        }
        Ok(())
    }

    /// Both as they are, or without what versions say in different words.
    fn in_common_words(&self, want: Value, got: Value) -> (Value, Value) {
        if self.any_version { (words::common(want), words::common(got)) } else { (want, got) }
    }

    fn check_said(&mut self, step: &Step, said: &Said) -> Result<(), String> {
        let shown = || format!("exit {}\n{}{}", said.exit, said.out, said.err);
        if said.exit != step.exit.unwrap_or(0) {
            return Err(format!("wanted exit {}, got {}", step.exit.unwrap_or(0), shown()));
        }
        self.check_texts(&step.out, &[], &said.out).map_err(|it| format!("{it}\n{}", said.err))?;
        self.check_texts(&step.err, &[], &said.err)?;
        self.check_texts(&[], &step.lacks, &format!("{}{}", said.out, said.err))?;
        if step.body.is_some() || step.exact.is_some() {
            let got: Value = serde_json::from_str(&said.out).map_err(|it| format!("no JSON: {it}\n{}", shown()))?;
            for (want, whole) in [(&step.body, false), (&step.exact, true)] {
                let Some(want) = want else { continue };
                matching::check(&self.values.value(want)?, &got, whole)
                    .map_err(|it| format!("{it}\nin {}", shown()))?;
            }
        }
        for (name, place) in &step.save {
            let value = match place.as_str() {
                "out" => Value::from(said.out.trim()),
                place => at(&serde_json::from_str(&said.out).unwrap_or_default(), place)?,
            };
            self.values.set(name, value);
        }
        Ok(())
    }

    fn check_texts(&self, wanted: &[String], unwanted: &[String], got: &str) -> Result<(), String> {
        for want in wanted {
            let want = self.values.text(want)?;
            if !matching::contained(&want, got)? {
                return Err(format!("wanted {want:?} in\n{got}"));
            }
        }
        for text in unwanted {
            let text = self.values.text(text)?;
            if matching::contained(&text, got)? {
                return Err(format!("did not want {text:?} in\n{got}"));
            }
        }
        Ok(())
    }
}

/// As much of a long text as helps.
fn shortened(text: &str) -> String {
    const LONG: usize = 1500;
    if text.len() <= LONG { text.to_owned() } else { text.chars().take(LONG).chain(" …".chars()).collect() }
}

/// A place in a value: `metadata.uid`, `items.0.metadata.name`, or a JSON pointer.
fn at(value: &Value, place: &str) -> Result<Value, String> {
    let pointer = if place.starts_with('/') { place.to_owned() } else { format!("/{}", place.replace('.', "/")) };
    value.pointer(&pointer).cloned().ok_or_else(|| format!("there is no {place} in {value}"))
}

fn bytes_of(digits: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<char> = digits.chars().filter(|it| !it.is_whitespace()).collect();
    let byte = |pair: &[char]| {
        let text: String = pair.iter().collect();
        u8::from_str_radix(&text, 16).map_err(|_| format!("`{text}` is no byte"))
    };
    digits.chunks(2).map(byte).collect()
}
