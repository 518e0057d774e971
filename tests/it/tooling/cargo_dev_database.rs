//! The databases of `cargo dev` and `cargo ops`: migrations, sample data and verification.

use local_database::postgres::Postgres;
use local_database::{private_database, supabase};
use nix::sys::signal::Signal;

use crate::support::cargo_dev::{
    DataDirectory, Dev, applied_migrations, dev_command, failure, migration_files, ops_command, run_command,
};
use crate::support::database::{Session, default_grants, server, workspace};
use crate::support::world::DEFAULT_CREDENTIALS_KEY;

#[tokio::test]
async fn migrations_are_applied_once_and_sample_data_on_request() {
    let (data, name) = (DataDirectory::new("migrate").await, format!("test_{}", uuid::Uuid::new_v4().simple()));
    let url = server().await.url("postgres", &name);
    // The URL is an argument or comes from the environment.
    for is_argument in [true, false] {
        let ops = async |arguments: &[&str]| {
            let mut command = ops_command(&data, arguments).await;
            if is_argument {
                command.args(["--database-url", &url])
            } else {
                command.env("DATABASE_URL", &url)
            };
            run_command(command).await
        };
        supabase::create_database(server().await, &name, default_grants()).await.unwrap();
        let (nothing, sample) = ("migration  nothing new", "sample     users, plans, bots and trades added");
        for (options, files, expected) in [
            (&[][..], migration_files(), vec![]),
            (&[], Vec::new(), vec![nothing]),
            (&["--sample-data"], Vec::new(), vec![nothing, sample]),
            (&["--sample-data"], Vec::new(), vec![nothing]),
        ] {
            let (code, printed) = ops(&[&["migrate"], options].concat()).await;
            assert_eq!((code, applied_migrations(printed.lines())), (0, files.iter().map(String::as_str).collect()));
            let found: Vec<_> = printed.lines().filter(|line| [nothing, sample].contains(line)).collect();
            assert_eq!(found, expected, "{printed}");
        }
        let (code, printed) = ops(&["verify"]).await;
        assert!(code == 0 && printed.ends_with(": no difference\n"), "{printed}");
        supabase::drop_database(server().await, &name).await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_database_or_migration_is_reported_in_one_line() {
    let data = DataDirectory::new("nothing").await;
    let path = data.path.display();
    let none = format!("error: no database is given, and no `cargo dev` is running with the data in {path}");
    for operation in ["migrate", "verify"] {
        let error = failure(ops_command(&data, &[operation]).await).await;
        assert_eq!(error, format!("{none}; pass --database-url, set DATABASE_URL, or start `cargo dev`"));
        assert!(!data.path.join("postgres").exists(), "no database is created");
    }
    let error = failure(ops_command(&data, &["rotate-keys"]).await).await;
    let remedy = "set CREDENTIALS_KEYS or pass --credentials-keys, the newest key first: 2:<new>,1:<old>";
    assert_eq!(error, format!("error: the key ring is missing; {remedy}"));
    let error =
        failure(ops_command(&data, &["rotate-keys", "--credentials-keys", DEFAULT_CREDENTIALS_KEY]).await).await;
    assert!(error.starts_with(&none), "{error}");

    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    supabase::create_database(server().await, &name, default_grants()).await.unwrap();
    let url = server().await.url("postgres", &name);
    let error = failure(ops_command(&data, &["verify", "--database-url", &url]).await).await;
    assert_eq!(error, "error: no migration has been applied to the database; run `cargo ops migrate` on it first");
    supabase::drop_database(server().await, &name).await.unwrap();
}

#[tokio::test]
async fn data_of_other_migrations_is_refused_unless_recreated() {
    let data = DataDirectory::new("other").await;
    let (postgres, url) = private_database::start(&data.path).await.unwrap();
    ops::migrations::migrate(&url, &workspace().join("migrations"), |_| {}).await.unwrap();
    let owner = Session::open(&url).await;
    owner
        .run("insert into supabase_migrations.schema_migrations (version, name) values ('036', 'get_portfolio')")
        .await
        .unwrap();
    drop(owner);
    let expected = "error: the database was migrated with other files: it has 036_get_portfolio, which is missing here; recreate a \
                    local database with `cargo dev --fresh`; for any other, see migrations/README.md";
    assert_eq!(failure(ops_command(&data, &["migrate", "--database-url", &url]).await).await, expected);
    postgres.stop().await.unwrap();
    assert_eq!(failure(dev_command(&data, &["--port", "0"]).await).await, expected);
    let dev = Dev::start(&data, &["--port", "0", "--fresh"]).await;
    assert_eq!(dev.applied_migrations(), migration_files());
}

/// Through a tunnel, a production database looks like a database on this machine.
#[tokio::test]
async fn a_database_with_users_but_no_sample_data_is_left_unchanged() {
    let (data, name) = (DataDirectory::new("users").await, format!("test_{}", uuid::Uuid::new_v4().simple()));
    supabase::create_database(server().await, &name, default_grants()).await.unwrap();
    let admin = Session::open(&server().await.url("supabase_admin", &name)).await;
    admin.run("insert into auth.users (id, email) values (gen_random_uuid(), 'trader@example.test')").await.unwrap();
    let url = server().await.url("postgres", &name);
    for migrate in [false, true] {
        if migrate {
            assert_eq!(run_command(ops_command(&data, &["migrate", "--database-url", &url]).await).await.0, 0);
        }
        let error = failure(dev_command(&data, &["--port", "0", "--database-url", &url]).await).await;
        assert!(error.starts_with("error: the database has users and no sample data, "), "{error}");
        assert_eq!(admin.text("select string_agg(email, ' ') from auth.users").await, "trader@example.test");
        let is_migrated = admin.text("select to_regclass('public.users') is not null").await;
        assert_eq!(is_migrated, migrate.to_string());
    }
    supabase::drop_database(server().await, &name).await.unwrap();
}

/// `docs/operations.md` sets up such a database: the sample data would conflict with its plans.
#[tokio::test]
async fn a_database_with_plans_but_no_sample_data_is_refused_with_a_remedy() {
    let (data, name) = (DataDirectory::new("plans").await, format!("test_{}", uuid::Uuid::new_v4().simple()));
    supabase::create_database(server().await, &name, default_grants()).await.unwrap();
    let url = server().await.url("postgres", &name);
    assert_eq!(run_command(ops_command(&data, &["migrate", "--database-url", &url]).await).await.0, 0);
    let owner = Session::open(&url).await;
    owner.run("insert into public.plans (name, price_monthly, features, max_bots, max_strategies) values ('Free', 0, '[]', 1, 1)").await.unwrap();
    let database = ["--database-url", &url];
    for command in [
        dev_command(&data, &[&["--port", "0"], &database[..]].concat()).await,
        ops_command(&data, &[&["migrate", "--sample-data"], &database[..]].concat()).await,
    ] {
        let error = failure(command).await;
        assert!(error.starts_with("error: the database has plans and no sample data, "), "{error}");
        assert!(
            error.ends_with("; use the URL of an empty database, or recreate the local one with `cargo dev --fresh`"),
            "{error}"
        );
    }
    assert_eq!(owner.text("select string_agg(name, ' ') from public.plans").await, "Free");
    supabase::drop_database(server().await, &name).await.unwrap();
}

#[tokio::test]
async fn a_change_of_the_running_database_is_reported() {
    let data = DataDirectory::new("verify").await;
    let dev = Dev::start(&data, &["--port", "0"]).await;
    let (code, printed) = run_command(ops_command(&data, &["verify"]).await).await;
    assert!(code == 0 && printed.ends_with(": no difference\n"), "{printed}");
    let admin = Session::open(&dev.database_url().await).await;
    admin.run("alter table public.logs disable row level security").await.unwrap();
    let (code, printed) = run_command(ops_command(&data, &["verify"]).await).await;
    assert!(code == 1 && printed.contains("differs  table       public.logs"), "{printed}");
    let (code, printed) = run_command(ops_command(&data, &["migrate"]).await).await;
    assert_eq!((code, printed.as_str()), (0, "migration  nothing new\n"));
}

/// Uses a server as an operating system's package installs it: its only superuser is `postgres`.
#[tokio::test]
async fn an_existing_postgres_server_can_be_used() {
    let data = DataDirectory::new("own").await;
    let postgres = Postgres::start(&data.path.join("reference"), None).await.unwrap();
    let admin = Session::open(&postgres.url("supabase_admin", "template1")).await;
    let password = postgres.password();
    admin.run(&format!("create role postgres superuser login password '{password}'")).await.unwrap();
    admin.run("create database mine").await.unwrap();
    let (url, other) = (postgres.url("postgres", "mine"), DataDirectory::new("own-data").await);
    for migrations in [migration_files(), Vec::new()] {
        let dev = Dev::start(&other, &["--port", "0", "--database-url", &url]).await;
        assert_eq!(dev.applied_migrations(), migrations);
        assert_eq!(dev.create_bot(&dev.token().await, "mine").await, 201);
        let (code, printed) = run_command(ops_command(&other, &["verify"]).await).await;
        assert!(code == 0 && printed.ends_with(": no difference\n"), "{printed}");
        assert!(dev.stop(Signal::SIGINT).await.success());
    }
    assert!(!other.path.join("postgres").exists());
}
