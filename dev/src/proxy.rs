//! A proxy in front of the database. It counts round trips, adds latency, and can cut connections or silently drop
//! their bytes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use local_database::{Error, Result};

/// A running proxy. A round trip begins with the first bytes that the client sends on a connection, and again with the
/// first that it sends after bytes from the server.
pub struct Proxy {
    port: u16,
    round_trips: Arc<AtomicUsize>,
    /// Connections since the last [`Proxy::take_connections`].
    connections: Arc<AtomicUsize>,
    /// Connections since the start.
    accepted: Arc<AtomicUsize>,
    /// Number of connections, counted from the first, whose bytes are dropped.
    silent: Arc<AtomicUsize>,
    /// Number of times that all connections were cut.
    cut: watch::Sender<u64>,
}

impl Proxy {
    /// Starts a proxy for a port of this machine, with a latency of `delay` in each direction.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn start(target: u16, delay: Duration) -> Result<Self> {
        let unavailable = |error: std::io::Error| {
            Error::new(
                format!("cannot open a port for the proxy: {error}"),
                "stop some of the programs that listen on 127.0.0.1",
            )
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(unavailable)?;
        let proxy = Self {
            port: listener.local_addr().map_err(unavailable)?.port(),
            round_trips: Arc::default(),
            connections: Arc::default(),
            silent: Arc::default(),
            accepted: Arc::default(),
            cut: watch::Sender::new(0),
        };
        let (round_trips, connections) = (proxy.round_trips.clone(), proxy.connections.clone());
        let (silent, accepted, cut) = (proxy.silent.clone(), proxy.accepted.clone(), proxy.cut.subscribe());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
                    continue;
                }
                connections.fetch_add(1, Ordering::SeqCst);
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let silent = silent.clone();
                let is_silent = move || number < silent.load(Ordering::SeqCst);
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let has_responded = Arc::new(AtomicBool::new(true));
                let (is_new_trip, trips) = (has_responded.clone(), round_trips.clone());
                let on_request = move || {
                    if is_new_trip.swap(false, Ordering::SeqCst) {
                        trips.fetch_add(1, Ordering::SeqCst);
                    }
                };
                let on_response = move || has_responded.store(true, Ordering::SeqCst);
                forward(from_client, to_server, delay, on_request, is_silent.clone(), cut.clone());
                forward(from_server, to_client, delay, on_response, is_silent, cut.clone());
            }
        });
        Ok(proxy)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Round trips since the last call.
    pub fn take_round_trips(&self) -> usize {
        self.round_trips.swap(0, Ordering::SeqCst)
    }

    /// New connections since the last call.
    pub fn take_connections(&self) -> usize {
        self.connections.swap(0, Ordering::SeqCst)
    }

    /// Closes every connection, like a restarted server or a network device.
    pub fn cut(&self) {
        self.cut.send_modify(|generation| *generation += 1);
    }

    /// Silently drops all further bytes of the existing connections.
    pub fn silence(&self) {
        self.silent.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// Forwards one direction: bytes are written after the delay, while more are read.
fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    on_bytes: impl Fn() + Send + 'static,
    is_silent: impl Fn() -> bool + Send + 'static,
    mut cut: watch::Receiver<u64>,
) {
    cut.mark_unchanged();
    let mut cut_too = cut.clone();
    let (delayed, mut due_bytes) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer) => read,
                _ = cut.changed() => return,
            };
            let Some(bytes) = read.ok().filter(|count| *count > 0).and_then(|count| buffer.get(..count)) else {
                return;
            };
            on_bytes();
            if !is_silent() && delayed.send((Instant::now() + delay, bytes.to_vec())).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (due, bytes) = tokio::select! {
                next = due_bytes.recv() => match next {
                    Some(next) => next,
                    None => return,
                },
                _ = cut_too.changed() => return,
            };
            if !delay.is_zero() {
                tokio::select! {
                    () = sleep_until(due) => {}
                    _ = cut_too.changed() => return,
                }
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
}
