//! Sends calls to the servers, again where that is right, and writes down what came of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::answers::{self, Reply};
use crate::check::{Answer, Ask, Call, Moment};
use crate::world::{Place, World};

/// After so many attempts nobody will know any more.
const MOST_ATTEMPTS: u16 = 200;
/// So many calls are kept before they are handed over.
const KEPT: usize = 256;

/// A request as it is sent, each time the same.
#[derive(Clone, Debug)]
pub struct Message {
    pub method: Method,
    pub path: String,
    pub key: Option<String>,
    pub body: String,
    /// For how long the server may hold it.
    pub hold: Duration,
    /// Whether it may be sent again when nobody knows what became of it.
    pub is_repeatable: bool,
    /// Whether somebody else sends the same at the same time.
    pub is_shared: bool,
}

impl Message {
    pub fn post(path: &str, body: String) -> Self {
        let (path, hold) = (path.to_owned(), Duration::ZERO);
        Self { method: Method::POST, path, key: None, body, hold, is_repeatable: true, is_shared: false }
    }

    pub fn get(path: String) -> Self {
        Self { method: Method::GET, path, ..Self::post("", String::new()) }
    }
}

pub struct Caller {
    pub world: Arc<World>,
    pub place: u16,
    pub id: u32,
    pub random: fastrand::Rng,
    connections: Vec<Option<SendRequest<Full<Bytes>>>>,
    calls: Vec<Call>,
}

/// What came of a call, and the secret of its lease if it was told one.
pub struct Outcome {
    pub answer: Answer,
    pub token: Option<String>,
    /// Of the execution, as it was told.
    pub version: Option<i64>,
}

impl Outcome {
    pub const fn of(answer: Answer) -> Self {
        Self { answer, token: None, version: None }
    }
}

impl Caller {
    pub fn new(world: &Arc<World>, place: u16, id: u32, seed: u64) -> Self {
        let connections = world.replicas.iter().map(|_| None).collect();
        let random = fastrand::Rng::with_seed(seed ^ (u64::from(id) << 32));
        Self { world: Arc::clone(world), place, id, random, connections, calls: Vec::new() }
    }

    pub fn place(&self) -> &Place {
        &self.world.places[usize::from(self.place)]
    }

    /// Sends it until its outcome is known, each time to a server that is chosen anew.
    pub async fn call(&mut self, ask: Ask, message: &Message) -> Outcome {
        let world = Arc::clone(&self.world);
        let _under_way = world.places[usize::from(self.place)].calls.read().await;
        let (sent, mut attempts, mut is_unknown) = (world.now(), 0, false);
        let (mut first, patience) = (sent, Duration::from_millis(self.random.u64(1_500..5_000)) + message.hold);
        let (outcome, server) = loop {
            let replica = self.random.usize(..world.replicas.len());
            attempts += 1;
            let reply = timeout(patience, self.attempt(replica, message)).await.ok().flatten();
            self.world.operations.fetch_add(1, Ordering::Relaxed);
            if reply.is_none() {
                self.connections[replica] = None;
            }
            let outcome = reply
                .map_or(Outcome::of(Answer::Unknown), |reply| answers::read(&ask, &reply, |time| world.moment(time)));
            let is_known = !matches!(outcome.answer, Answer::Unknown | Answer::Unavailable);
            is_unknown |= outcome.answer == Answer::Unknown;
            if is_known || attempts == MOST_ATTEMPTS || (is_unknown && !message.is_repeatable) {
                let is_lost = is_unknown && !is_known;
                let answer = if is_lost { Answer::Unknown } else { outcome.answer };
                break (Outcome { answer, ..outcome }, replica);
            }
            sleep(Duration::from_millis(self.random.u64(20..300))).await;
            // Whatever came before has changed nothing.
            if !is_unknown && !message.is_shared {
                first = world.now();
            }
        };
        self.write_down(ask, message, first, (attempts, server), outcome.answer.clone());
        outcome
    }

    /// Sends it once, and hangs up unless there is an answer in time.
    pub async fn call_for(&mut self, time: Duration, ask: Ask, message: &Message) -> Outcome {
        let world = Arc::clone(&self.world);
        let _under_way = world.places[usize::from(self.place)].calls.read().await;
        let (sent, replica) = (world.now(), self.random.usize(..world.replicas.len()));
        let outcome = match timeout(time, self.attempt(replica, message)).await {
            Ok(Some(reply)) => answers::read(&ask, &reply, |time| world.moment(time)),
            Ok(None) => Outcome::of(Answer::Unknown),
            Err(_) => Outcome::of(Answer::HungUp),
        };
        world.operations.fetch_add(1, Ordering::Relaxed);
        self.write_down(ask, message, sent, (1, replica), outcome.answer.clone());
        outcome
    }

    fn write_down(
        &mut self,
        ask: Ask,
        message: &Message,
        sent: Moment,
        (attempts, server): (u16, usize),
        answer: Answer,
    ) {
        let (client, location, answered) = (self.id, self.place, self.world.now());
        let is_held = !message.hold.is_zero();
        self.calls.push(Call { client, location, sent, answered, attempts, server, is_held, ask, answer });
        if self.calls.len() >= KEPT {
            self.world.keep(&mut self.calls);
        }
    }

    /// The answer, if there is one.
    async fn attempt(&mut self, replica: usize, message: &Message) -> Option<Reply> {
        let address = self.world.replicas[replica].clients.address;
        let slot = &mut self.connections[replica];
        if slot.as_ref().is_none_or(SendRequest::is_closed) {
            let stream = TcpStream::connect(address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
            // Its end is seen by whoever waits for an answer, and it ends with the one who waits.
            tokio::spawn(connection);
            *slot = Some(sender);
        }
        let mut sender = slot.take()?;
        sender.ready().await.ok()?;
        let mut request = Request::builder().method(&message.method).uri(&message.path);
        request = request.header(header::HOST, address.to_string()).header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = &message.key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.body(Full::new(Bytes::from(message.body.clone()))).ok()?;
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        self.connections[replica] = Some(sender);
        Some(Reply { status, body })
    }

    /// Writes down what was found out in another way than by a call.
    pub fn note(&mut self, ask: Ask, sent: Moment, answer: Answer) {
        let (client, location, answered) = (self.id, self.place, self.world.now());
        self.calls.push(Call { client, location, sent, answered, attempts: 1, server: 0, is_held: false, ask, answer });
    }

    /// Another that does something beside this one.
    pub fn twin(&mut self) -> Self {
        let seed = self.random.u64(..);
        Self::new(&self.world, self.place, self.id, seed)
    }

    /// Sends what somebody else has sent, until it is answered, and leaves no trace but the answer.
    pub async fn ask_again(&mut self, ask: &Ask, message: &Message) -> Option<Outcome> {
        let world = Arc::clone(&self.world);
        let _under_way = world.places[usize::from(self.place)].calls.read().await;
        for _ in 0..MOST_ATTEMPTS {
            let replica = self.random.usize(..self.connections.len());
            let reply = timeout(Duration::from_secs(4), self.attempt(replica, message)).await.ok().flatten();
            world.operations.fetch_add(1, Ordering::Relaxed);
            let outcome = reply.map(|reply| answers::read(ask, &reply, |time| world.moment(time)));
            match outcome {
                Some(outcome) if !matches!(outcome.answer, Answer::Unknown | Answer::Unavailable) => {
                    return Some(outcome);
                }
                _ => sleep(Duration::from_millis(200)).await,
            }
        }
        None
    }

    /// The body of an answer that is no part of the evidence.
    pub async fn read(&mut self, message: &Message) -> Option<Bytes> {
        let replica = self.random.usize(..self.connections.len());
        let reply = timeout(Duration::from_secs(3), self.attempt(replica, message)).await.ok().flatten()?;
        (reply.status == 200).then_some(reply.body)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.world.keep(&mut self.calls);
    }
}
