//! A proxy in front of the database that counts round trips, and that can cut or black-hole its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A round trip begins with the first bytes from the client after bytes from the server, or after the start.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    round_trips: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    /// How many connections, from the first, have fallen silent.
    silent: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    cut: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
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
                connections.fetch_add(1, Ordering::SeqCst);
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let silent = silent.clone();
                let is_silent = move || number < silent.load(Ordering::SeqCst);
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
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
                tokio::spawn(copy(from_client, to_server, there, is_silent.clone(), cut.clone()));
                tokio::spawn(copy(from_server, to_client, back, is_silent, cut.clone()));
            }
        });
        proxy
    }

    /// Since the last call.
    pub(crate) fn take_round_trips(&self) -> usize {
        self.round_trips.swap(0, Ordering::SeqCst)
    }

    pub(crate) fn take_connections(&self) -> usize {
        self.connections.swap(0, Ordering::SeqCst)
    }

    /// Ends every connection, as a restarted server or a network device would.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|generation| *generation += 1);
    }

    /// From now on the bytes of the connections there are disappear, and nobody is told.
    pub(crate) fn silence(&self) {
        self.silent.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    on_bytes: impl Fn(),
    is_silent: impl Fn() -> bool,
    mut cut: watch::Receiver<u64>,
) {
    cut.mark_unchanged();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = cut.changed() => return,
        };
        match read {
            Ok(count) if count > 0 => {
                on_bytes();
                if !is_silent() && to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
