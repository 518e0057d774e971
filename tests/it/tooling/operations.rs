//! The commands in `docs/operations.md`, and the migrations under Supabase's command-line tool.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use dev::node::Node;
use local_database::postgres::Postgres;
use local_database::supabase::{self, DefaultGrants};
use tokio::process::Command;

use crate::support::cargo_dev;
use crate::support::database::{
    Database, Session, default_grants, is_lint_required, migrations, run_directory, target, workspace,
};

/// Supabase's command-line tool, in the version that `docs/operations.md` installs.
const SUPABASE: &str = "supabase@3.1.0";

/// Shell in which `cargo ops` and `supabase` run the programs under test, in a folder with the files of the workspace
/// that they read.
struct Shell {
    node: Node,
    programs: PathBuf,
    cargo_ops: PathBuf,
    folder: PathBuf,
    postgres_url: String,
}

impl Shell {
    async fn new(folder: PathBuf, postgres_url: String) -> Self {
        let node = Node::find(target()).await.unwrap();
        let programs = node.install_packages(target(), "supabase", &[SUPABASE]).await.unwrap();
        std::fs::create_dir_all(folder.join("supabase")).unwrap();
        std::fs::copy(workspace().join("supabase/config.toml"), folder.join("supabase/config.toml")).unwrap();
        symlink(migrations().canonicalize().unwrap(), folder.join("supabase/migrations")).unwrap();
        let cargo_ops = cargo_dev::programs().await.ops.canonicalize().unwrap();
        Self { node, programs: programs.canonicalize().unwrap(), cargo_ops, folder, postgres_url }
    }

    /// Runs commands and returns what they print; panics at the first that fails.
    async fn run(&self, commands: &str) -> String {
        let prelude = "cargo() { shift; \"$CARGO_OPS\" \"$@\" --data \"$HOME/data\"; }\n\
                       supabase() { \"$PROGRAMS/supabase\" \"$@\"; }\n";
        let mut shell = Command::new("bash");
        self.node.add_to_path(&mut shell);
        shell.args(["-euo", "pipefail", "-c", &format!("{prelude}{commands}")]).current_dir(&self.folder);
        shell.env("POSTGRES_URL", &self.postgres_url).env("CARGO_OPS", &self.cargo_ops).env("PROGRAMS", &self.programs);
        shell.env("HOME", &self.folder).env("SUPABASE_TELEMETRY_DISABLED", "1").stdin(Stdio::null());
        let output = shell.output().await.unwrap();
        let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert!(output.status.success(), "{commands}\n{printed}");
        printed
    }
}

/// Fenced code blocks of a document, each with its language, without indentation.
fn blocks(document: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    for part in document.split("```").skip(1).step_by(2) {
        let (language, text) = part.split_once('\n').unwrap();
        let text: Vec<_> = text.lines().map(str::trim).collect();
        blocks.push((language, text.join("\n")));
    }
    blocks
}

#[tokio::test]
async fn the_documented_database_commands_work() {
    let document = std::fs::read_to_string(workspace().join("docs/operations.md")).unwrap();
    let package = std::fs::read_to_string(workspace().join("clients/typescript/package.json")).unwrap();
    assert!(document.contains(SUPABASE) && package.contains(SUPABASE), "one version everywhere: {SUPABASE}");
    let folder = run_directory("operations");
    let postgres = Postgres::start(&folder.join("postgres"), None).await.unwrap();
    supabase::create_database(&postgres, "project", default_grants()).await.unwrap();
    let shell = Shell::new(folder.join("shell"), postgres.url("postgres", "project")).await;

    let mut printed = Vec::new();
    for (language, block) in blocks(&document) {
        if language == "sql" {
            let passwords = block.replace("<one>", "first password").replace("<another>", "second password");
            assert!(!passwords.contains('<'), "{passwords}");
            Session::open(&shell.postgres_url).await.run(&passwords).await.unwrap();
        }
        let is_for_database = |line: &&str| line.starts_with("cargo ops ") || line.starts_with("supabase ");
        for command in block.lines().filter(is_for_database) {
            printed.push((command.to_owned(), shell.run(command).await));
        }
    }
    let printed_by = |words: &str| {
        let of_command = printed.iter().filter(|(command, _)| command.contains(words));
        of_command.map(|(_, printed)| printed.as_str()).collect::<Vec<_>>()
    };
    assert!(printed_by("migrate")[0].contains("migration  001_initial_schema.sql"), "{printed:#?}");
    let [pushed] = printed_by("db push")[..] else { panic!("{printed:#?}") };
    assert!(pushed.contains("Remote database is up to date."), "{pushed}");
    let verified = printed_by("verify");
    assert!(verified.len() >= 3, "{printed:#?}");
    assert!(verified.iter().all(|report| report.contains(": no difference")), "{printed:#?}");

    // The functions can log in with the new passwords.
    for (role, password) in [("nofomo_api", "first%20password"), ("nofomo_jobs", "second%20password")] {
        let url =
            shell.postgres_url.replace(&format!("postgres:{}", postgres.password()), &format!("{role}:{password}"));
        assert_eq!(Session::open(&url).await.text("select current_user").await, role);
    }
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn the_supabase_tool_applies_the_migrations_and_finds_no_problem() {
    let folder = run_directory("supabase");
    let postgres = Postgres::start(&folder.join("postgres"), None).await.unwrap();
    let mut files: Vec<_> = std::fs::read_dir(migrations())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| file.ends_with(".sql"))
        .collect();
    files.sort();
    let advisors = "supabase db advisors --level warn --fail-on warn --remote=\"$POSTGRES_URL\"";
    for grants in [DefaultGrants::Closed, DefaultGrants::Exposed] {
        let name = format!("{grants:?}");
        supabase::create_database(&postgres, &name, grants).await.unwrap();
        let url = postgres.url("postgres", &name);
        let shell = Shell::new(folder.join(&name), url.clone()).await;

        let pushed = shell.run("supabase db push --yes --remote=\"$POSTGRES_URL\"").await;
        let applied = pushed.lines().filter_map(|line| line.strip_prefix("Applying migration ")?.strip_suffix("..."));
        assert_eq!(applied.collect::<Vec<_>>(), files, "{pushed}");
        let again = shell.run("supabase db push --yes --remote=\"$POSTGRES_URL\"").await;
        assert!(again.contains("up to date"), "{again}");
        let ours = ops::migrations::migrate(&url, &migrations(), |file| panic!("{file} is new")).await;
        assert_eq!(ours.unwrap(), 0);
        let advised = shell.run(advisors).await;
        assert!(advised.contains("No issues found"), "{advised}");

        // With a plan named Free the database passes verification.
        let plan = "insert into public.plans (name, price_monthly, features, max_bots, max_strategies) values ('Free', 0, '[]', 1, 1)";
        Session::open(&url).await.run(plan).await.unwrap();
        let report = ops::verify::verify_migrations(&postgres, &url, &migrations()).await.unwrap();
        assert!(report.differences.is_empty(), "{report}");
        if grants == DefaultGrants::Exposed {
            continue;
        }

        let up = shell.run("supabase migration up --remote=\"$POSTGRES_URL\"").await;
        assert!(up.contains("up to date"), "{up}");
        let listed = shell.run("supabase migration list --remote=\"$POSTGRES_URL\"").await;
        for version in files.iter().map(|file| &file[..3]) {
            assert!(listed.contains(&format!("`{version}` | `{version}`")), "{listed}");
        }
        for statistics in ["table-stats", "index-stats"] {
            let inspected = shell.run(&format!("supabase inspect db {statistics} --remote=\"$POSTGRES_URL\"")).await;
            assert!(inspected.contains("trades"), "{inspected}");
        }
        lint(&postgres, &name, &shell).await;
        // This view must be reported, which proves that the advisors inspect the database.
        let owner = Session::open(&url).await;
        let peek = "create view public.peek as select email from public.users; grant select on public.peek to anon";
        owner.run(peek).await.unwrap();
        let advised = shell.run(&format!("if {advisors}; then exit 1; fi")).await;
        assert!(advised.contains("security_definer_view"), "{advised}");
    }
    postgres.stop().await.unwrap();
}

/// Runs `supabase db lint` on all functions, if the server has the extension that it needs.
async fn lint(postgres: &Postgres, database: &str, shell: &Shell) {
    let admin = Session::open(&postgres.url("supabase_admin", database)).await;
    let available = "select count(*) from pg_available_extensions where name = 'plpgsql_check'";
    if admin.text(available).await == "0" {
        assert!(!is_lint_required(), "the server has no plpgsql_check: apt-get install postgresql-15-plpgsql-check");
        check_prerequisites::report_progress("not linted: the server has no plpgsql_check");
        return;
    }
    admin.run("create extension plpgsql_check with schema extensions").await.unwrap();
    let lint = "supabase db lint --level warning --fail-on warning --schema public,private --remote=\"$POSTGRES_URL\"";
    let linted = shell.run(lint).await;
    assert!(linted.contains("No schema errors found"), "{linted}");
    let owner = Session::open(&shell.postgres_url).await;
    owner
        .run("create function private.careless() returns int language plpgsql as $$ begin return nothing; end $$")
        .await
        .unwrap();
    let linted = shell.run(&format!("if {lint}; then exit 1; fi")).await;
    assert!(linted.contains("private.careless"), "{linted}");
    owner.run("drop function private.careless").await.unwrap();
    admin.run("drop extension plpgsql_check").await.unwrap();
}

#[tokio::test]
async fn the_committed_table_types_for_clients_are_current() {
    let database = Database::new().await;
    let shell = Shell::new(run_directory("types"), database.url("postgres")).await;
    let generate =
        "supabase gen types --lang typescript --schema public --remote=\"$POSTGRES_URL\" 2> \"$HOME/errors\"";
    let generated = shell.run(generate).await;
    let committed = std::fs::read_to_string(workspace().join("clients/typescript/src/database.ts")).unwrap();
    assert!(
        generated == committed,
        "src/database.ts is out of date: run `npm run generate-database` in clients/typescript"
    );
}
