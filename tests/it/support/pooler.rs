//! PgBouncer in transaction mode, which breaks what Supabase's pooler breaks.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;

use super::database::{run_directory, server};

/// Its port. One for all tests, in front of the one server; few server connections, so that clients must share them.
pub(crate) async fn port() -> u16 {
    static PORT: OnceCell<u16> = OnceCell::const_new();
    *PORT.get_or_init(start).await
}

async fn start() -> u16 {
    let postgres = server().await;
    let directory = run_directory("pgbouncer");
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
    let mut process = run(&settings);
    // It ends with the tests, however they end: its guard waits for the other end of a pipe to close.
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            std::mem::forget(process);
            return port;
        }
        if let Ok(Some(status)) = process.try_wait() {
            panic!("pgbouncer ended ({status}); install the package pgbouncer");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("pgbouncer does not listen");
}

fn run(settings: &std::path::Path) -> Child {
    // PgBouncer refuses to run as root, and takes another user's name from its command line.
    let script = "if [ \"$(id -u)\" = 0 ]; then as='-u nobody'; chmod -R a+rX \"$(dirname \"$0\")\"; fi
        pgbouncer -q $as \"$0\" & pid=$!
        { read -r _; kill $pid; } 2>/dev/null <&3 &
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
