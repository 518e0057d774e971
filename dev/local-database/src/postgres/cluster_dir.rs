//! The directory of a server's files, and the account that owns them.

use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    },
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use check_prerequisites::postgresql::Installation;
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use tokio::{net::TcpStream, time::sleep};
use uuid::Uuid;

use super::{
    address::{SUPERUSER, url},
    command::{cannot, command, run},
};
use crate::{
    connect::connect,
    error::{Error, Result},
};

/// Time that the orphaned server of a killed process may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Prefix of the directory of a cluster that is still being created.
const INCOMPLETE_PREFIX: &str = "cluster.incomplete";

/// Directory of a server, locked for this process. The subdirectory `cluster` is PostgreSQL's own.
pub(super) struct ClusterDir {
    pub(super) path: PathBuf,
    /// Account that runs the server if this process is root, as which PostgreSQL refuses to run.
    account: Option<User>,
    /// Locked while the server runs; the operating system releases it when this process dies.
    _lock: File,
}

impl ClusterDir {
    /// Opens the directory for `data`, creating it if necessary, and locks it.
    pub(super) async fn open(data: &Path) -> Result<Self> {
        let exists = data.exists();
        fs::create_dir_all(data).map_err(cannot("create", data))?;
        let mut path = data.canonicalize().map_err(cannot("enter", data))?;
        let mut account = None;
        if Uid::effective().is_root() {
            let unprivileged = unprivileged_account()?;
            if !exists {
                fs::set_permissions(&path, Permissions::from_mode(0o755))
                    .map_err(cannot("change the permissions of", &path))?;
            }
            let mut enter = command("sh", Some(&unprivileged));
            enter.args(["-c", "cd -- \"$0\""]).arg(&path);
            if run(enter).await.is_err() {
                path = create_fallback(&path)?;
            }
            // Existing data stays with its owner, even if a package creates the user postgres later.
            let cluster = path.join("cluster").metadata().ok();
            let owner = cluster.and_then(|cluster| User::from_uid(cluster.uid().into()).ok()?);
            account = Some(owner.unwrap_or(unprivileged));
        }
        let lock_path = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(cannot("write", &lock_path))?;
        // The previous holder may be exiting.
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    return Ok(Self { path, account, _lock: lock });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
                Err(TryLockError::WouldBlock) => {
                    let problem = format!("another process is using the database in {}", data.display());
                    let remedy = "stop that `cargo dev`, or give this one its own --data directory";
                    return Err(Error::new(problem, remedy));
                }
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &lock_path)(error)),
            }
        }
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.path.join("cluster")
    }

    pub(super) fn password(&self) -> PathBuf {
        self.path.join("password")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// Command that runs as the account of the server.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        command(program, self.account.as_ref())
    }

    /// Creates the cluster with a new password.
    pub(super) async fn create_cluster(&self, installation: &Installation) -> Result<()> {
        // Renamed once it is complete, so that an interruption leaves nothing that looks like a cluster. The name is
        // unique because an interrupted initdb still writes for a moment.
        let incomplete = self.path.join(format!("{INCOMPLETE_PREFIX}-{}", Uuid::new_v4().simple()));
        DirBuilder::new().mode(0o700).create(&incomplete).map_err(cannot("create", &incomplete))?;

        let password = self.password();
        File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&password)
            .and_then(|mut file| write!(file, "{}", Uuid::new_v4().simple()))
            .map_err(cannot("write", &password))?;
        if let Some(account) = &self.account {
            for path in [&incomplete, &password] {
                let (user, group) = (account.uid.as_raw(), account.gid.as_raw());
                chown(path, Some(user), Some(group)).map_err(cannot("change the owner of", path))?;
            }
        }

        let mut initdb = self.command(installation.program("initdb"));
        initdb.arg("--pgdata").arg(&incomplete).arg("--pwfile").arg(&password);
        initdb.args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"]);
        initdb.args(["--locale", if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" }]);
        let mut initdb = tokio::process::Command::from(initdb);
        initdb.kill_on_drop(true);
        run(initdb).await.map_err(|reason| {
            Error::new(format!("initdb failed: {reason}"), format!("check the directory {}", self.path.display()))
        })?;
        fs::rename(&incomplete, self.cluster()).map_err(cannot("rename", &incomplete))
    }

    /// Deletes clusters that were not completed. One that is still being written to is deleted the next time.
    pub(super) fn delete_incomplete(&self) {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().as_bytes().starts_with(INCOMPLETE_PREFIX.as_bytes())) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }

    /// Stops a server that has outlived the process that started it: this process has the lock, so it has no other
    /// owner.
    pub(super) async fn stop_orphan(&self) {
        let pid_file = self.cluster().join("postmaster.pid");
        let Ok(password) = fs::read_to_string(self.password()) else {
            return;
        };
        let deadline = Instant::now() + STOP_TIMEOUT;
        while let Ok(text) = fs::read_to_string(&pid_file) {
            let mut lines = text.lines();
            let (Some(process), Some(port)) =
                (lines.next().and_then(|id| id.parse().ok()), lines.nth(2).and_then(|port| port.parse().ok()))
            else {
                return;
            };
            if TcpStream::connect(("127.0.0.1", port)).await.is_err() || Instant::now() > deadline {
                return;
            }
            // Only this server knows the password; after a reboot, another process may have the process id.
            if connect(&url(SUPERUSER, &password, port, "template1")).await.is_ok() {
                kill(Pid::from_raw(process), Signal::SIGINT).ok();
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn unprivileged_account() -> Result<User> {
    let found = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
    found.ok_or_else(|| {
        Error::new(
            "PostgreSQL refuses to run as root, and there is no user postgres or nobody",
            "run this as another user",
        )
    })
}

/// Directory to use instead of one that the server's account cannot enter, such as one below /root.
fn fallback(data: &Path) -> PathBuf {
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, data.as_os_str().as_bytes()).simple();
    Path::new("/var/tmp").join(format!("nofomo-{name}"))
}

fn create_fallback(data: &Path) -> Result<PathBuf> {
    let path = fallback(data);
    match DirBuilder::new().create(&path) {
        Ok(()) => fs::set_permissions(&path, Permissions::from_mode(0o755))
            .map_err(cannot("change the permissions of", &path))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(cannot("create", &path)(error)),
    }
    // Any user can create a directory there, and would then control the files in it.
    let found = path.symlink_metadata().map_err(cannot("enter", &path))?;
    if found.is_dir() && found.uid() == Uid::effective().as_raw() {
        Ok(path)
    } else {
        Err(Error::new(format!("{} belongs to another user", path.display()), "delete it"))
    }
}
