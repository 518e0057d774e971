//! A private PostgreSQL server, run from this machine's own binaries.

mod address;
mod cluster_dir;
mod command;
mod installation;
mod process;

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, Instant},
};

use check_prerequisites::postgresql::Installation;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::sleep;

pub use self::address::SUPERUSER;
use self::{address::url, cluster_dir::ClusterDir, command::cannot, installation::find_installation, process::Server};
use crate::{
    connect::connect,
    error::{Error, Result},
};

/// Time the server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Time the server may take to stop by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A running server. It stops when this is dropped, or when this process dies.
pub struct Postgres {
    dir: ClusterDir,
    installation: Installation,
    port: u16,
    password: String,
    server: Server,
}

impl Postgres {
    /// Starts the server whose files are in `data`, creating them at the first start. Without `port` it listens on any
    /// free port.
    ///
    /// # Errors
    ///
    /// There is no suitable PostgreSQL, the directory is in use, or the server does not start.
    pub async fn start(data: &Path, port: Option<u16>) -> Result<Self> {
        let dir = ClusterDir::open(data).await?;
        if !data.canonicalize().is_ok_and(|data| data == dir.path) {
            let (data, path) = (data.display(), dir.path.display());
            eprintln!("the database's files are in {path}, because PostgreSQL's account has no access to {data}");
        }
        dir.stop_orphan().await;
        dir.delete_incomplete();
        let installation = find_installation(&dir.cluster()).await?;
        if !dir.cluster().exists() {
            dir.create_cluster(&installation).await?;
        }
        let password = fs::read_to_string(dir.password()).map_err(cannot("read", &dir.password()))?;
        if let Some(port) = port {
            TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
                let remedy = "stop the program that listens there, or choose another port";
                Error::new(format!("PostgreSQL cannot listen on port {port}: {error}"), remedy)
            })?;
        }
        File::create(dir.log()).map_err(cannot("write", &dir.log()))?;

        let chosen = port.map_or_else(find_free_port, Ok)?;
        let server = Server::launch(&dir, &installation, chosen)?;
        let mut postgres = Self { dir, installation, port: chosen, password, server };
        postgres.await_ready(port.is_none()).await?;
        Ok(postgres)
    }

    /// Ensures that this machine has PostgreSQL. As root on Debian and Ubuntu, it installs it.
    ///
    /// # Errors
    ///
    /// PostgreSQL is missing and cannot be installed.
    pub async fn ensure_installed() -> Result<()> {
        installation::ensure_installed().await
    }

    /// Deletes the files that [`Postgres::start`] created for `data`, and no others.
    ///
    /// # Errors
    ///
    /// Another process uses them, or they cannot be deleted.
    pub async fn erase(data: &Path) -> Result<()> {
        let dir = ClusterDir::open(data).await?;
        dir.stop_orphan().await;
        let cluster = dir.cluster();
        if cluster.exists() {
            fs::remove_dir_all(&cluster).map_err(cannot("delete", &cluster))?;
        }
        Ok(())
    }

    /// Path of one of PostgreSQL's own programs, such as `pgbench`, in the server's version.
    pub fn program(&self, name: &str) -> PathBuf {
        self.installation.program(name)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Password of every role that may log in; it is generated together with the data.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Database URL of a role.
    pub fn url(&self, role: &str, database: &str) -> String {
        url(role, &self.password, self.port, database)
    }

    /// Stops the server: it ends all connections and writes a checkpoint.
    pub async fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGINT)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.exit_status()?.is_none() {
            if Instant::now() > deadline {
                self.signal(Signal::SIGQUIT)?;
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Kills every process of the server at once, as in a crash.
    pub fn kill(&self) -> Result<()> {
        let postmaster = self.server.postmaster.id();
        // Systems without this file: the other processes exit by themselves once the postmaster is gone.
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap_or_default();
        self.signal(Signal::SIGKILL)?;
        for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            // It may have exited already.
            kill(Pid::from_raw(child), Signal::SIGKILL).ok();
        }
        Ok(())
    }

    /// Starts the server again after [`Postgres::kill`], with the same data on the same port.
    pub async fn restart(&mut self) -> Result<()> {
        while self.exit_status()?.is_none() {
            sleep(Duration::from_millis(10)).await;
        }
        self.server = Server::launch(&self.dir, &self.installation, self.port)?;
        self.await_ready(false).await
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        // Its exit status has not been collected, so no other process can have this id yet.
        let id = Pid::from_raw(self.server.postmaster.id().cast_signed());
        kill(id, signal).map_err(|error| {
            Error::new(format!("cannot signal PostgreSQL: {error}"), format!("see {}", self.dir.log().display()))
        })
    }

    fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        self.server.postmaster.try_wait().map_err(|error| {
            Error::new(
                format!("cannot get the state of PostgreSQL: {error}"),
                format!("see {}", self.dir.log().display()),
            )
        })
    }

    async fn await_ready(&mut self, any_port: bool) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if self.exit_status()?.is_some() {
                let log = fs::read_to_string(self.dir.log()).unwrap_or_default();
                let last_line = log.lines().rfind(|line| line.contains("FATAL:")).or(log.lines().last());
                let last_line = last_line.unwrap_or("its log is empty");
                // Processes of the previous server are still exiting.
                let is_occupied = ["shared memory block", "postmaster.pid"].iter().any(|sign| last_line.contains(sign));
                let is_port_taken = any_port && last_line.contains("TCP/IP sockets");
                if !(is_occupied || is_port_taken) || Instant::now() > deadline {
                    let remedy = format!("see {}", self.dir.log().display());
                    return Err(Error::new(format!("PostgreSQL does not start: {last_line}"), remedy));
                }
                if is_port_taken {
                    self.port = find_free_port()?;
                }
                sleep(Duration::from_millis(100)).await;
                self.server = Server::launch(&self.dir, &self.installation, self.port)?;
            }
            match connect(&self.url(SUPERUSER, "template1")).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

fn find_free_port() -> Result<u16> {
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| {
        Error::new(format!("no port is free on 127.0.0.1: {error}"), "stop some of the programs that listen there")
    })
}
