//! A private PostgreSQL server, run from the binaries that this machine has.

use std::{
    cmp::Reverse,
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io::{self, Write},
    net::TcpListener,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use tokio::{net::TcpStream, time::sleep};
use uuid::Uuid;

use crate::{Error, Result, connect::connect};

/// `postgres` is left to be what it is on Supabase, no superuser: the role that made the server cannot be demoted.
pub(crate) const SUPERUSER: &str = "supabase_admin";

const OLDEST_MAJOR: u32 = 15;
const PATIENCE: Duration = Duration::from_secs(30);

/// Given at each start, so that data made by an earlier version of this program gets them too.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "timezone=UTC",
    "log_timezone=UTC",
    // As on Supabase: without it a publication can be made, but warns that nobody can subscribe.
    "wal_level=logical",
    // The tests have a database each, and several connections to it.
    "max_connections=200",
    // A commit survives the death of any process, as the pages are with the operating system; only a power cut could
    // take it, and that risk is nothing beside waiting for the disk in a database that `--fresh` makes anew.
    "fsync=off",
    "full_page_writes=off",
];

/// Waits until whoever holds the other end of its input is gone, however that came about, and then stops the server of
/// the given process id, unless it has gone by itself and the id is another's by now.
const GUARD: &str = r#"
    trap '' HUP INT TERM
    read -r _
    [ "$(head -n 1 "$2" 2>/dev/null)" = "$1" ] && kill -INT "$1"
"#;

/// The running server; it stops when this is dropped or its process dies.
pub struct Postgres {
    home: Home,
    installation: Installation,
    port: u16,
    password: String,
    server: Server,
}

struct Server {
    postmaster: Child,
    /// Never asked for anything: holding the pipe to it is the point.
    _guard: Child,
}

impl Postgres {
    /// Starts the server whose files lie in `data`, made at the first start; without `port`, on any that is free.
    pub async fn start(data: &Path, port: Option<u16>) -> Result<Self> {
        let home = Home::open(data).await?;
        if !data.canonicalize().is_ok_and(|data| data == home.path) {
            let (data, path) = (data.display(), home.path.display());
            eprintln!("the database's files lie in {path}, as PostgreSQL may not enter {data}");
        }
        home.stop_orphan().await;
        let installation = Installation::find(&home.cluster()).await?;
        if !home.cluster().exists() {
            home.create_cluster(&installation).await?;
        }
        let password = fs::read_to_string(home.password()).map_err(cannot("read", &home.password()))?;
        if let Some(port) = port {
            TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
                let remedy = "stop what listens there or choose another port";
                Error::new(format!("PostgreSQL cannot listen on port {port}: {error}"), remedy)
            })?;
        }
        File::create(home.log()).map_err(cannot("write", &home.log()))?;

        let chosen = port.map_or_else(free_port, Ok)?;
        let server = home.launch(&installation, chosen)?;
        let mut postgres = Self { home, installation, port: chosen, password, server };
        postgres.await_ready(port.is_none()).await?;
        Ok(postgres)
    }

    /// Deletes what [`Postgres::start`] made for `data`, and nothing else that may lie there.
    pub async fn erase(data: &Path) -> Result<()> {
        let home = Home::open(data).await?;
        home.stop_orphan().await;
        let cluster = home.cluster();
        if cluster.exists() {
            fs::remove_dir_all(&cluster).map_err(cannot("delete", &cluster))?;
        }
        Ok(())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The one password of all roles that may log in, made together with the data.
    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn url(&self, role: &str, database: &str) -> String {
        url(role, &self.password, self.port, database)
    }

    /// Disconnects everybody and writes everything out.
    pub async fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGINT)?;
        let deadline = Instant::now() + PATIENCE;
        while self.exit_status()?.is_none() {
            if Instant::now() > deadline {
                self.signal(Signal::SIGQUIT)?;
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Ends every process of the server at once, as a crash would.
    pub fn kill(&self) -> Result<()> {
        let postmaster = self.server.postmaster.id();
        // Where there is no such file the others end by themselves as soon as they miss the postmaster.
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap_or_default();
        self.signal(Signal::SIGKILL)?;
        for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            // It may have been quicker.
            kill(Pid::from_raw(child), Signal::SIGKILL).ok();
        }
        Ok(())
    }

    /// Brings the server back after [`Postgres::kill`], with the same data on the same port.
    pub async fn restart(&mut self) -> Result<()> {
        while self.exit_status()?.is_none() {
            sleep(Duration::from_millis(10)).await;
        }
        self.server = self.home.launch(&self.installation, self.port)?;
        self.await_ready(false).await
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        // Its exit status has not been fetched, so the id is still its own.
        let id = Pid::from_raw(self.server.postmaster.id().cast_signed());
        kill(id, signal).map_err(|error| {
            Error::new(format!("cannot signal PostgreSQL: {error}"), format!("see {}", self.home.log().display()))
        })
    }

    fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        self.server.postmaster.try_wait().map_err(|error| {
            Error::new(format!("lost sight of PostgreSQL: {error}"), format!("see {}", self.home.log().display()))
        })
    }

    async fn await_ready(&mut self, any_port: bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.exit_status()?.is_some() {
                let log = fs::read_to_string(self.home.log()).unwrap_or_default();
                let last_words = log.lines().rfind(|line| line.contains("FATAL:")).or(log.lines().last());
                let last_words = last_words.unwrap_or("it said nothing");
                // Processes of the server before this one are still on their way out.
                let crowded = ["shared memory block", "postmaster.pid"].iter().any(|sign| last_words.contains(sign));
                let outrun = any_port && last_words.contains("TCP/IP sockets");
                if !(crowded || outrun) || Instant::now() > deadline {
                    let remedy = format!("see {}", self.home.log().display());
                    return Err(Error::new(format!("PostgreSQL does not start: {last_words}"), remedy));
                }
                if outrun {
                    self.port = free_port()?;
                }
                sleep(Duration::from_millis(100)).await;
                self.server = self.home.launch(&self.installation, self.port)?;
            }
            match connect(&self.url(SUPERUSER, "template1")).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

fn free_port() -> Result<u16> {
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| {
        Error::new(format!("no port is free on 127.0.0.1: {error}"), "end some of the programs that listen there")
    })
}

/// The directory of one server: `cluster` is PostgreSQL's own, the rest is ours.
struct Home {
    path: PathBuf,
    /// Who runs the server if not we ourselves: PostgreSQL refuses to run as root.
    account: Option<User>,
    /// Held while the server runs; the operating system lets go of it when we die.
    _lock: File,
}

impl Home {
    async fn open(data: &Path) -> Result<Self> {
        let exists = data.exists();
        fs::create_dir_all(data).map_err(cannot("create", data))?;
        let mut path = data.canonicalize().map_err(cannot("enter", data))?;
        let mut account = None;
        if Uid::effective().is_root() {
            let unprivileged = unprivileged_account()?;
            if !exists {
                fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(cannot("open", &path))?;
            }
            let mut enter = command("sh", Some(&unprivileged));
            enter.args(["-c", "cd -- \"$0\""]).arg(&path);
            if run(enter).await.is_err() {
                path = refuge(&path)?;
            }
            // Data that exists stays with its owner, also when a package brings the user postgres later.
            let cluster = path.join("cluster").metadata().ok();
            let owner = cluster.and_then(|cluster| User::from_uid(cluster.uid().into()).ok()?);
            account = Some(owner.unwrap_or(unprivileged));
        }
        let lock_path = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(cannot("write", &lock_path))?;
        // Whoever had it may be on his way out.
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    return Ok(Self { path, account, _lock: lock });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
                Err(TryLockError::WouldBlock) => {
                    let problem = format!("another process uses the database in {}", data.display());
                    let remedy = "stop that `cargo dev` or give this one a --data directory of its own";
                    return Err(Error::new(problem, remedy));
                }
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &lock_path)(error)),
            }
        }
    }

    fn cluster(&self) -> PathBuf {
        self.path.join("cluster")
    }

    fn password(&self) -> PathBuf {
        self.path.join("password")
    }

    fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        command(program, self.account.as_ref())
    }

    async fn create_cluster(&self, installation: &Installation) -> Result<()> {
        // Not by its name until it is complete, so that an interruption leaves nothing that looks like a server.
        let incomplete = self.path.join("cluster.incomplete");
        if incomplete.exists() {
            fs::remove_dir_all(&incomplete).map_err(cannot("delete", &incomplete))?;
        }
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
                chown(path, Some(user), Some(group)).map_err(cannot("hand over", path))?;
            }
        }

        let mut initdb = self.command(installation.program("initdb"));
        initdb.arg("--pgdata").arg(&incomplete).arg("--pwfile").arg(&password);
        initdb.args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"]);
        initdb.args(["--locale", if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" }]);
        // Were it to outlive us, it would be in the way of the next start.
        let mut initdb = tokio::process::Command::from(initdb);
        initdb.kill_on_drop(true);
        run(initdb).await.map_err(|reason| {
            Error::new(format!("initdb failed: {reason}"), format!("check the directory {}", self.path.display()))
        })?;
        fs::rename(&incomplete, self.cluster()).map_err(cannot("rename", &incomplete))
    }

    /// We hold the lock, so a server on these files has outlived whoever started it.
    async fn stop_orphan(&self) {
        let note = self.cluster().join("postmaster.pid");
        let Ok(password) = fs::read_to_string(self.password()) else {
            return;
        };
        let deadline = Instant::now() + PATIENCE;
        while let Ok(note) = fs::read_to_string(&note) {
            let mut lines = note.lines();
            let (Some(process), Some(port)) =
                (lines.next().and_then(|id| id.parse().ok()), lines.nth(2).and_then(|port| port.parse().ok()))
            else {
                return;
            };
            if TcpStream::connect(("127.0.0.1", port)).await.is_err() || Instant::now() > deadline {
                return;
            }
            // Only a server of ours knows the password; the process id alone could be anybody's after a reboot.
            if connect(&url(SUPERUSER, &password, port, "template1")).await.is_ok() {
                kill(Pid::from_raw(process), Signal::SIGINT).ok();
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn launch(&self, installation: &Installation, port: u16) -> Result<Server> {
        let failed = |error: io::Error| {
            Error::new(format!("cannot run PostgreSQL: {error}"), "check that its installation is complete")
        };
        let log = File::options().append(true).create(true).open(self.log()).map_err(cannot("write", &self.log()))?;
        let mut postgres = self.command(installation.program("postgres"));
        postgres.arg("-D").arg(self.cluster()).arg("-p").arg(port.to_string());
        postgres.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        // In a group of its own: Ctrl-C is for us to hear first.
        postgres.process_group(0).stdin(Stdio::null());
        postgres.stdout(log.try_clone().map_err(failed)?).stderr(log);
        let mut postmaster = postgres.spawn().map_err(failed)?;

        let mut guard = self.command("sh");
        guard.args(["-c", GUARD, "guard"]).arg(postmaster.id().to_string()).arg(self.cluster().join("postmaster.pid"));
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        match guard.spawn() {
            Ok(guard) => Ok(Server { postmaster, _guard: guard }),
            Err(error) => {
                postmaster.kill().map_err(failed)?;
                Err(failed(error))
            }
        }
    }
}

/// Where the programs of one PostgreSQL version lie; an empty directory stands for the PATH.
#[derive(Clone, Debug)]
struct Installation {
    major: u32,
    directory: PathBuf,
}

impl Installation {
    /// Debian, PGDG's RPMs and what is built by hand, Homebrew on both processors, Postgres.app: `*/bin` below these.
    const PLACES: [&str; 5] = [
        "/usr/lib/postgresql",
        "/usr",
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/Applications/Postgres.app/Contents/Versions",
    ];

    /// The one that made the cluster, else the one in the PATH, else the newest.
    async fn find(cluster: &Path) -> Result<Self> {
        let made_by = fs::read_to_string(cluster.join("PG_VERSION")).ok().and_then(|major| major.trim().parse().ok());
        let mut found = Self::all().await;
        if found.is_empty() {
            install_package().await?;
            found = Self::all().await;
        }
        let Some(made_by): Option<u32> = made_by else {
            return found.into_iter().next().ok_or_else(not_installed);
        };
        let mut majors: Vec<_> = found.iter().map(|installation| installation.major.to_string()).collect();
        majors.sort_unstable();
        majors.dedup();
        found.into_iter().find(|installation| installation.major == made_by).ok_or_else(|| {
            let problem = format!(
                "the data in {} was made by PostgreSQL {made_by}, and this machine has {}",
                cluster.display(),
                majors.join(", ")
            );
            Error::new(problem, format!("start over with --fresh or install PostgreSQL {made_by}"))
        })
    }

    async fn all() -> Vec<Self> {
        let below = |place| fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let directories = Self::PLACES.into_iter().flat_map(below).filter(|bin| bin.join("postgres").exists());
        let mut found = Vec::new();
        for directory in directories {
            found.extend(Self::at(directory).await);
        }
        found.sort_by_key(|installation| Reverse(installation.major));
        found.splice(0..0, Self::at(PathBuf::new()).await);
        found
    }

    async fn at(directory: PathBuf) -> Option<Self> {
        let mut majors = Vec::new();
        for program in ["postgres", "initdb"] {
            let mut version = command(directory.join(program), None);
            version.arg("--version");
            majors.push(parse_major(&run(version).await.ok()?)?);
        }
        let major = majors.first().copied().filter(|major| *major >= OLDEST_MAJOR)?;
        majors.iter().all(|other| *other == major).then_some(Self { major, directory })
    }

    fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, or `17beta1` in that place.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

fn not_installed() -> Error {
    let remedy = "install it with its contrib modules (Debian and Ubuntu: postgresql; Fedora: postgresql-server and \
                  postgresql-contrib; Homebrew: postgresql@17)";
    Error::new(format!("PostgreSQL {OLDEST_MAJOR} or newer is not on this machine"), remedy)
}

async fn install_package() -> Result<()> {
    let mut probe = command("apt-get", None);
    probe.arg("--version");
    if !Uid::effective().is_root() || run(probe).await.is_err() {
        return Err(not_installed());
    }
    eprintln!("installing the package postgresql with apt-get");
    // Debian's package makes and starts a server of its own unless it finds this.
    let settings = Path::new("/etc/postgresql-common/createcluster.conf");
    if !settings.exists() {
        fs::create_dir_all("/etc/postgresql-common")
            .and_then(|()| fs::write(settings, "create_main_cluster = false\n"))
            .map_err(cannot("write", settings))?;
    }
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "postgresql"]] {
        let mut apt = command("apt-get", None);
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run(apt).await.map_err(|reason| {
            Error::new(format!("apt-get {} failed: {reason}", arguments.join(" ")), "install PostgreSQL by hand")
        })?;
    }
    Ok(())
}

fn unprivileged_account() -> Result<User> {
    let found = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
    found.ok_or_else(|| Error::new("PostgreSQL does not run as root", "run this as another user"))
}

/// For a directory that the server's account may not enter, such as one below /root.
fn refuge(data: &Path) -> Result<PathBuf> {
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, data.as_os_str().as_bytes()).simple();
    let path = Path::new("/var/tmp").join(format!("nofomo-{name}"));
    match DirBuilder::new().create(&path) {
        Ok(()) => fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(cannot("open", &path))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(cannot("create", &path)(error)),
    }
    // Anybody can make a directory there, and would then own what we write into it.
    let found = path.symlink_metadata().map_err(cannot("enter", &path))?;
    if found.is_dir() && found.uid() == Uid::effective().as_raw() {
        Ok(path)
    } else {
        Err(Error::new(format!("{} belongs to somebody else", path.display()), "delete it"))
    }
}

fn url(role: &str, password: &str, port: u16, database: &str) -> String {
    format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
}

fn command(program: impl AsRef<Path>, account: Option<&User>) -> Command {
    let mut command = Command::new(program.as_ref());
    // Not where we are: the account may have no business there.
    command.current_dir("/").stdin(Stdio::null());
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    command
}

/// Runs to the end; what it complained of is the reason if it failed.
async fn run(command: impl Into<tokio::process::Command>) -> Result<String, String> {
    let output = command.into().output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaint = complaints.lines().find(|line| line.contains("error:") || line.starts_with("E:"));
    Err(complaint.or(complaints.lines().last()).unwrap_or("no reason given").to_owned())
}

fn cannot(action: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let what = format!("cannot {action} {}", path.display());
    move |error| Error::new(format!("{what}: {error}"), "check its owner and permissions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_the_programs_say() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("initdb (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_major("postgres"), None);
    }
}
