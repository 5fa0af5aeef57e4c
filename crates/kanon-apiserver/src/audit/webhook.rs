//! The audit webhook: events gather into lists and are posted; a webhook that fails is asked again after growing pauses, and what
//! does not fit meanwhile is dropped and counted.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use kanon_apimachinery::audit;
use kanon_net::{HttpsClient, tls_client_config};
use tokio::{
    runtime::Handle,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{AuditError, AuditMode, AuditThrottle, AuditWebhook, Counts, Plugin, kubeconfig::Target, queue::Ack};

/// How long one call may take, and how often one is tried (upstream: 30 s, five times).
const CALL: Duration = Duration::from_secs(30);
const TRIES: u32 = 5;
/// Longest answer that is read: nothing in it matters.
const ANSWER_MAX: usize = 64 << 10;
/// How long what waits may take to leave at the end.
const LAST: Duration = Duration::from_secs(5);

/// An event on its way.
pub(super) struct Delivery {
    pub(super) json: Bytes,
    pub(super) ack: Option<Ack>,
}

/// The audit thread's end.
pub(super) struct Webhook {
    queue: mpsc::Sender<Delivery>,
    task: JoinHandle<()>,
    runtime: Handle,
    is_blocking: bool,
    counts: Arc<Counts>,
}

struct Poster {
    options: AuditWebhook,
    target: Target,
    client: HttpsClient,
    counts: Arc<Counts>,
}

impl Webhook {
    /// Reads the kubeconfig, and starts the task on the runtime of the caller.
    pub(super) fn start(options: &AuditWebhook, counts: Arc<Counts>) -> Result<Webhook, AuditError> {
        let wrong = |problem: String| AuditError::Kubeconfig { path: options.kubeconfig.clone(), problem };
        let target = Target::read(&options.kubeconfig)?;
        let tls =
            tls_client_config(&target.trust, target.identity.as_ref()).map_err(|error| wrong(error.to_string()))?;
        let runtime = Handle::try_current().map_err(|error| wrong(error.to_string()))?;
        let client = HttpsClient::new(tls, None);
        let (queue, deliveries) = mpsc::channel(options.buffer.max(1));
        let poster = Poster { options: options.clone(), target, client, counts: Arc::clone(&counts) };
        let is_blocking = options.mode != AuditMode::Batch;
        let task = runtime.spawn(poster.run(deliveries));
        Ok(Webhook { queue, task, runtime, is_blocking, counts })
    }

    /// Hands an event on; from the audit thread, which does not wait.
    pub(super) fn deliver(&self, mut delivery: Delivery) {
        if !self.is_blocking {
            delivery.ack = None;
        }
        if let Err(error) = self.queue.try_send(delivery) {
            self.counts.lost(Plugin::Webhook, 1);
            answer(&[error.into_inner()], false);
        }
    }

    /// Lets what waits leave, for a moment.
    pub(super) fn close(self) {
        let Webhook { queue, task, runtime, .. } = self;
        drop(queue);
        let abort = task.abort_handle();
        if runtime.block_on(timeout(LAST, task)).is_err() {
            abort.abort();
        }
    }
}

fn answer(deliveries: &[Delivery], taken: bool) {
    for ack in deliveries.iter().filter_map(|it| it.ack.as_ref()) {
        // The request may have gone.
        let _ = ack.send(taken);
    }
}

/// Calls that may be made, which come back with time.
struct Throttle {
    options: AuditThrottle,
    left: f32,
    at: Option<Instant>,
}

impl Throttle {
    fn new(options: AuditThrottle) -> Throttle {
        let burst = options.burst.max(1);
        Throttle { options: AuditThrottle { burst, ..options }, left: burst as f32, at: None }
    }

    /// Takes one call; it is to be made after this long.
    fn take(&mut self, now: Instant) -> Duration {
        let rate = if self.options.rate > 0.0 { self.options.rate } else { AuditThrottle::default().rate };
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now.max(self.at.unwrap_or(now)));
        self.left = (self.left + passed.as_secs_f32() * rate).min(self.options.burst as f32) - 1.0;
        if self.left >= 0.0 { Duration::ZERO } else { Duration::from_secs_f32(-self.left / rate) }
    }
}

impl Poster {
    async fn run(self, mut deliveries: mpsc::Receiver<Delivery>) {
        let bytes_max = self.options.truncate.map_or(usize::MAX, |it| it.batch_max);
        let mut throttle = self.options.throttle.filter(|_| self.options.mode == AuditMode::Batch).map(Throttle::new);
        // What came and did not fit the last call.
        let mut left = None;
        loop {
            let first = match left.take() {
                Some(first) => first,
                None => match deliveries.recv().await {
                    Some(first) => first,
                    None => return,
                },
            };
            let mut bytes = first.json.len();
            let mut batch = vec![first];
            let deadline = Instant::now() + self.options.batch_wait;
            // Nobody waits for company when somebody waits for the answer.
            while batch.len() < self.options.batch_max && batch.iter().all(|it| it.ack.is_none()) {
                match timeout_at(deadline, deliveries.recv()).await {
                    Ok(Some(next)) if bytes.saturating_add(next.json.len()) > bytes_max => {
                        left = Some(next);
                        break;
                    }
                    Ok(Some(next)) => {
                        bytes += next.json.len();
                        batch.push(next);
                    }
                    Ok(None) | Err(_) => break,
                }
            }
            if let Some(throttle) = &mut throttle {
                sleep(throttle.take(Instant::now())).await;
            }
            let taken = self.post(&batch).await;
            if !taken {
                self.counts.lost(Plugin::Webhook, batch.len());
            }
            answer(&batch, taken);
        }
    }

    async fn post(&self, batch: &[Delivery]) -> bool {
        let events: Vec<Bytes> = batch.iter().map(|it| it.json.clone()).collect();
        let body = audit::list(&events);
        let mut pause = self.options.backoff;
        for attempt in 1..=TRIES {
            let problem = match self.call(body.clone()).await {
                Ok(status) if status.is_success() => return true,
                // What it refuses it will refuse again.
                Ok(status) if status.is_client_error() && status.as_u16() != 429 => {
                    tracing::warn!(%status, events = batch.len(), "the audit webhook refuses events");
                    return false;
                }
                Ok(status) => status.to_string(),
                Err(problem) => problem,
            };
            tracing::warn!(%problem, attempt, events = batch.len(), "the audit webhook cannot be reached");
            if attempt < TRIES {
                sleep(pause).await;
                pause = pause.mul_f32(1.5);
            }
        }
        false
    }

    async fn call(&self, body: Bytes) -> Result<http::StatusCode, String> {
        let mut request = Request::post(self.target.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "kube-apiserver-audit");
        if let Some(token) = &self.target.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| "the token is no text")?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let answered = self.client.call(request, CALL, ANSWER_MAX).await;
        answered.map(|it| it.status()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_in_bursts_and_then_at_their_rate() {
        let begin = Instant::now();
        let mut throttle = Throttle::new(AuditThrottle { rate: 10.0, burst: 2 });
        let mut waits = |after: u64| throttle.take(begin + Duration::from_millis(after)).as_millis();
        assert_eq!([waits(0), waits(0), waits(0), waits(100)], [0, 0, 100, 100]);
        // A pause fills it again, and no further.
        assert_eq!([waits(60_000), waits(60_000), waits(60_000)], [0, 0, 100]);
    }
}
