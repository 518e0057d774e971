//! PgBouncer in transaction mode, with the restrictions of Supabase's pooler.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use local_database::postgres::Postgres;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;

use super::database::{run_directory, server};

/// Port of the pooler in front of the shared server.
pub(crate) async fn port() -> u16 {
    static POOLER: OnceCell<Pooler> = OnceCell::const_new();
    POOLER.get_or_init(|| async { Pooler::start(server().await, "pgbouncer").await }).await.port
}

/// Running PgBouncer, which stops when the test process ends.
pub(crate) struct Pooler {
    pub(crate) port: u16,
    settings: PathBuf,
    process: Child,
}

impl Pooler {
    /// Starts PgBouncer with three server connections per database and user, so that clients must share them.
    pub(crate) async fn start(postgres: &Postgres, name: &str) -> Self {
        let directory = run_directory(name);
        std::fs::create_dir_all(&directory).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
        let password = postgres.password();
        let users = directory.join("users.txt");
        std::fs::write(&users, format!("\"nofomo_api\" \"{password}\"\n\"nofomo_jobs\" \"{password}\"\n")).unwrap();
        let settings = directory.join("pgbouncer.ini");
        std::fs::write(
            &settings,
            format!(
                "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 auth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 3\n\
                 max_client_conn = 1000\nserver_idle_timeout = 5\nignore_startup_parameters = extra_float_digits,options\n\
                 unix_socket_dir =\n",
                postgres.port(),
                users.display(),
            ),
        )
        .unwrap();
        let process = run(&settings);
        let mut pooler = Self { port, settings, process };
        pooler.wait_until_listening().await;
        pooler
    }

    /// Stops PgBouncer, which closes all its connections, and starts it again when `meanwhile` is complete.
    pub(crate) async fn restart(&mut self, meanwhile: impl Future<Output = ()>) {
        drop(self.process.stdin.take());
        while self.process.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        meanwhile.await;
        self.process = run(&self.settings);
        self.wait_until_listening().await;
    }

    async fn wait_until_listening(&mut self) {
        for _ in 0..2_000 {
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("pgbouncer ended ({status})");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("pgbouncer does not listen");
    }
}

fn run(settings: &Path) -> Child {
    // PgBouncer refuses to run as root, so it runs as `nobody`. It is killed when the other end of the pipe closes.
    let script = "if [ \"$(id -u)\" = 0 ]; then as='-u nobody'; chmod -R a+rX \"$(dirname \"$0\")\"; fi
        pgbouncer -q $as \"$0\" & pid=$!
        { read -r _; kill -KILL $pid; } 2>/dev/null <&3 &
        wait $pid";
    Command::new("sh")
        .args(["-c", &format!("exec 3<&0\n{script}")])
        .arg(settings)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
