//! A proxy in front of the database: counts round trips, adds distance, and can cut or black-hole its connections.

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

/// A round trip begins with the first bytes from the client after bytes from the server, or after the start.
pub struct Proxy {
    port: u16,
    round_trips: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    /// How many connections, from the first, have fallen silent.
    silent: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    cut: watch::Sender<u64>,
}

impl Proxy {
    /// In front of a port of this machine, as far away as a `delay` each way makes it.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn start(target: u16, delay: Duration) -> Result<Self> {
        let busy = |error: std::io::Error| {
            Error::new(format!("the proxy has no port: {error}"), "end some of the programs that listen on 127.0.0.1")
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(busy)?;
        let proxy = Self {
            port: listener.local_addr().map_err(busy)?.port(),
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
                let server_spoke = Arc::new(AtomicBool::new(true));
                let (spoke, trips) = (server_spoke.clone(), round_trips.clone());
                let there = move || {
                    if spoke.swap(false, Ordering::SeqCst) {
                        trips.fetch_add(1, Ordering::SeqCst);
                    }
                };
                let back = move || server_spoke.store(true, Ordering::SeqCst);
                carry(from_client, to_server, delay, there, is_silent.clone(), cut.clone());
                carry(from_server, to_client, delay, back, is_silent, cut.clone());
            }
        });
        Ok(proxy)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Since the last call.
    pub fn take_round_trips(&self) -> usize {
        self.round_trips.swap(0, Ordering::SeqCst)
    }

    /// Since the last call.
    pub fn take_connections(&self) -> usize {
        self.connections.swap(0, Ordering::SeqCst)
    }

    /// Ends every connection, as a restarted server or a network device would.
    pub fn cut(&self) {
        self.cut.send_modify(|generation| *generation += 1);
    }

    /// From now on the bytes of the connections there are disappear, and nobody is told.
    pub fn silence(&self) {
        self.silent.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// One way: what is read is written when its time has come, while more is read.
fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    on_bytes: impl Fn() + Send + 'static,
    is_silent: impl Fn() -> bool + Send + 'static,
    mut cut: watch::Receiver<u64>,
) {
    cut.mark_unchanged();
    let mut cut_too = cut.clone();
    let (under_way, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
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
            if !is_silent() && under_way.send((Instant::now() + delay, bytes.to_vec())).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (due, bytes) = tokio::select! {
                next = arriving.recv() => match next {
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
