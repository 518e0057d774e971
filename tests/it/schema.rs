//! The schema against the specification of the database: its tables, indexes, functions, views, sample data.

use dev::postgres::Postgres;

use crate::support::database::{Database, PRO, Session, default_grants, migrations, run_directory, workspace};

const SPECIFIED: &str = include_str!("../fixtures/specified_tables.sql");

/// Name, type, and whether it may be null.
async fn columns(session: &Session, schema: &str) -> Vec<String> {
    let rows = session
        .rows(
            "select format('%s.%s %s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                           case when a.attnotnull then ' not null' else '' end)
             from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = $1::text::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
             order by 1",
            &[&schema],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Checks, keys and references, without their names.
async fn constraints(session: &Session, schema: &str) -> Vec<String> {
    let rows = session
        .rows(
            "select format('%s: %s', c.relname, replace(pg_get_constraintdef(k.oid), $1 || '.', ''))
             from pg_constraint k join pg_class c on c.oid = k.conrelid
             where c.relnamespace = $1::text::regnamespace and k.contype in ('c', 'f', 'p', 'u') order by 1",
            &[&schema],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn only_in<'a>(these: &'a [String], those: &[String]) -> Vec<&'a str> {
    these.iter().filter(|line| !those.contains(line)).map(String::as_str).collect()
}

#[tokio::test]
async fn the_ten_tables_have_exactly_the_specified_columns_types_and_checks() {
    let database = Database::new().await;
    let owner = database.owner().await;
    owner
        .run(&format!(
            "create schema specified; set search_path = specified, extensions; {SPECIFIED} ; reset search_path"
        ))
        .await
        .unwrap();

    let (ours, specified) = (columns(&owner, "public").await, columns(&owner, "specified").await);
    assert_eq!(only_in(&specified, &ours), Vec::<&str>::new(), "specified columns that ours lack");
    let additions = only_in(&ours, &specified);
    let additions: Vec<_> = additions.into_iter().filter(|column| !column.starts_with("notifications.")).collect();
    assert_eq!(
        additions,
        [
            "bots.request_hash bytea",
            "invoices.checked_at timestamp with time zone",
            "invoices.checkout_url text",
            "invoices.pay_code character varying(255)",
            "invoices.pay_url text",
            "invoices.period character varying(20)",
            "invoices.qr_url text",
            "invoices.refunded_at timestamp with time zone",
            "invoices.renews_subscription_id uuid",
            "invoices.request_hash bytea",
            "subscriptions.anchored_at timestamp with time zone",
            "subscriptions.credited_from uuid",
            "subscriptions.period_months integer",
            "subscriptions.value numeric(14,4) not null",
            "trades.exit_price numeric(20,8)",
        ],
        "columns beyond the specification"
    );

    let (ours, specified) = (constraints(&owner, "public").await, constraints(&owner, "specified").await);
    assert_eq!(only_in(&specified, &ours), Vec::<&str>::new(), "specified constraints that ours lack");
    let additions = only_in(&ours, &specified);
    let additions: Vec<_> = additions.into_iter().filter(|line| !line.starts_with("notifications:")).collect();
    assert_eq!(
        additions,
        [
            "invoices: CHECK (((period)::text = ANY ((ARRAY['monthly'::character varying, 'yearly'::character varying])::text[])))",
            "invoices: FOREIGN KEY (renews_subscription_id) REFERENCES subscriptions(id) ON DELETE SET NULL",
            "subscriptions: FOREIGN KEY (credited_from) REFERENCES subscriptions(id) ON DELETE SET NULL",
        ],
        "constraints beyond the specification, all of them on columns beyond it"
    );
}

#[tokio::test]
async fn the_specified_indexes_functions_and_views_are_there() {
    let database = Database::new().await;
    let owner = database.owner().await;
    for index in [
        "idx_bots_user_id ON public.bots USING btree (user_id)",
        "idx_bots_status ON public.bots USING btree (status)",
        "idx_bots_exchange ON public.bots USING btree (exchange)",
        "idx_trades_bot_id ON public.trades USING btree (bot_id)",
        "idx_trades_entry_time ON public.trades USING btree (entry_time)",
        "idx_trades_user_date ON public.trades USING btree (user_id, entry_time)",
        "idx_strategies_user_id ON public.strategies USING btree (user_id)",
        "idx_strategies_marketplace ON public.strategies USING btree (is_public, strategy_type, is_verified) WHERE",
    ] {
        let found = format!("select count(*) from pg_indexes where strpos(indexdef, 'INDEX {index}') > 0");
        assert_eq!(owner.text(&found).await, "1", "{index}");
    }
    for function in ["update_bot_statistics", "validate_bot_limits", "get_user_trading_performance"] {
        let found = format!("select count(*) from pg_proc where proname = '{function}'");
        assert_eq!(owner.text(&found).await, "1", "{function}");
    }
    for (view, columns) in [
        ("bot_performance_summary", ["win_rate_percentage", "user_email", "user_name"]),
        ("strategy_marketplace", ["author_name", "avg_return_percentage", "backtest_count"]),
    ] {
        let found = format!(
            "select string_agg(column_name, ' ' order by ordinal_position) from information_schema.columns where table_name = '{view}'"
        );
        assert!(owner.text(&found).await.ends_with(&columns.join(" ")), "{view}");
    }
}

/// An unindexed reference makes every delete on its other side read the whole table.
#[tokio::test]
async fn every_foreign_key_has_an_index_that_begins_with_it() {
    let database = Database::new().await;
    let missing = database
        .owner()
        .await
        .text(
            "select string_agg(k.conname, ' ') from pg_constraint k
             where k.contype = 'f' and k.connamespace = 'public'::regnamespace and not exists (
                 select from pg_index i
                 where i.indrelid = k.conrelid and i.indpred is null and i.indkey[0] = k.conkey[1])",
        )
        .await;
    assert_eq!(missing, "");
}

#[tokio::test]
async fn the_tables_that_apps_watch_are_published() {
    let database = Database::new().await;
    let published = "select string_agg(tablename, ' ' order by tablename) from pg_publication_tables where pubname = 'supabase_realtime'";
    assert_eq!(database.owner().await.text(published).await, "bots notifications trades");
}

#[tokio::test]
async fn the_sample_data_is_all_there() {
    let database = Database::new().await;
    let owner = database.owner().await;
    for (table, least) in [
        ("plans", 3),
        ("users", 3),
        ("strategies", 3),
        ("bots", 4),
        ("trades", 100),
        ("ai_analyses", 2),
        ("backtest_results", 3),
        ("logs", 4),
        ("invoices", 3),
        ("subscriptions", 2),
    ] {
        let count: i64 = owner.text(&format!("select count(*) from public.{table}")).await.parse().unwrap();
        assert!(count >= least, "{table}: {count}");
    }
    let types = "select string_agg(strategy_type, ' ' order by strategy_type) from public.strategies";
    assert_eq!(owner.text(types).await, "ai_generated custom marketplace");
}

#[tokio::test]
async fn sample_data_refuses_to_run_unless_asked_for() {
    // Of its own: migrations set up roles, which are the whole server's.
    let postgres = Postgres::start(&run_directory("postgres-unasked"), None).await.unwrap();
    dev::supabase::create_database(&postgres, "unasked", default_grants()).await.unwrap();
    let url = postgres.url("postgres", "unasked");
    dev::migrations::migrate(&url, &migrations(), false, |_| {}).await.unwrap();
    let owner = Session::open(&url).await;
    assert_eq!(owner.text("select count(*) from public.users").await, "0");
    for file in ["003_sample_data.sql", "030_sample_data.sql"] {
        let file = std::fs::read_to_string(migrations().join(file)).unwrap();
        let refused = owner.run(&file).await.unwrap_err();
        assert!(refused.as_db_error().unwrap().message().contains("not asked for"), "{refused:?}");
    }
    assert_eq!(owner.text("select count(*) from public.plans").await, "0");

    // Asked for later, it is applied although newer migrations are.
    dev::migrations::migrate(&url, &migrations(), true, |_| {}).await.unwrap();
    assert_eq!(owner.text("select count(*) from public.users").await, "3");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_signup_makes_a_profile_and_never_fails_for_the_sake_of_an_address() {
    let database = Database::new().await;
    let auth = database.session("supabase_auth_admin").await;
    let owner = database.owner().await;
    let ids = ["1", "2", "3", "4"].map(|n| format!("0190b000-0000-7000-8000-00000000010{n}"));
    let long = "x".repeat(300);
    for (id, email, name) in [
        (&ids[0], "'new@nofomo.test'", "Nia"),
        // Two SSO users may share an address.
        (&ids[1], "'new@nofomo.test'", &long),
        (&ids[2], "null", ""),
        (&ids[3], "''", ""),
    ] {
        auth.run(&format!(
            "insert into auth.users (id, email, aud, role, is_sso_user, raw_user_meta_data) values
             ('{id}', {email}, 'authenticated', 'authenticated', true, jsonb_build_object('full_name', '{name}'))"
        ))
        .await
        .unwrap();
    }
    let profile = async |id: &str, column: &str| {
        owner.text(&format!("select {column} from public.users where id = '{id}'")).await
    };
    assert_eq!(profile(&ids[0], "email").await, "new@nofomo.test");
    assert_eq!(profile(&ids[0], "full_name").await, "Nia");
    assert_eq!(profile(&ids[1], "email").await, format!("{}@no-address.invalid", ids[1]));
    assert_eq!(profile(&ids[1], "length(full_name)").await, "255");
    assert_eq!(profile(&ids[2], "email").await, format!("{}@no-address.invalid", ids[2]));
    assert_eq!(profile(&ids[3], "email").await, format!("{}@no-address.invalid", ids[3]));

    auth.run(&format!("update auth.users set email = 'linked@nofomo.test' where id = '{}'", ids[2])).await.unwrap();
    assert_eq!(profile(&ids[2], "email").await, "linked@nofomo.test");
    auth.run(&format!("update auth.users set email = 'new@nofomo.test' where id = '{}'", ids[3])).await.unwrap();
    assert_eq!(profile(&ids[3], "email").await, format!("{}@no-address.invalid", ids[3]));
}

#[tokio::test]
async fn whoever_deletes_his_account_takes_what_is_his_and_leaves_his_address_free() {
    let database = Database::new().await;
    let auth = database.session("supabase_auth_admin").await;
    let owner = database.owner().await;
    let of_pro = |table: &str| format!("select count(*) from public.{table} where user_id = '{PRO}'");
    assert_eq!(owner.text(&of_pro("trades")).await, "61");
    auth.run(&format!("delete from auth.users where id = '{PRO}'")).await.unwrap();
    for table in [
        "bots",
        "trades",
        "logs",
        "strategies",
        "ai_analyses",
        "backtest_results",
        "invoices",
        "subscriptions",
        "notifications",
    ] {
        assert_eq!(owner.text(&of_pro(table)).await, "0", "{table}");
    }
    let again = "0190b000-0000-7000-8000-0000000000d1";
    auth.run(&format!(
        "insert into auth.users (id, email, aud, role) values ('{again}', 'pro@nofomo.test', 'authenticated', 'authenticated')"
    ))
    .await
    .unwrap();
    let email = format!("select email from public.users where id = '{again}'");
    assert_eq!(owner.text(&email).await, "pro@nofomo.test");
}

/// As the Supabase CLI does it, after it was told that the sample data is not wanted: file by file, with a history of its own.
#[tokio::test]
async fn what_supabases_own_tool_pushes_is_what_the_migrations_make() {
    // Roles belong to a whole server: nobody else may migrate on it at once.
    let postgres = Postgres::start(&run_directory("postgres-pushed"), None).await.unwrap();
    dev::supabase::create_database(&postgres, "pushed", default_grants()).await.unwrap();
    let url = postgres.url("postgres", "pushed");
    let owner = Session::open(&url).await;
    let history = "create schema if not exists supabase_migrations;
        create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text)";
    owner.run(history).await.unwrap();
    let pushed = std::fs::read_dir(workspace().join("supabase/migrations")).unwrap();
    let mut pushed: Vec<_> = pushed.map(|entry| entry.unwrap().path()).collect();
    pushed.sort();
    for path in pushed {
        let sql = std::fs::read_to_string(&path).unwrap();
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (version, title) = file.split_once('_').unwrap();
        if title != "sample_data" {
            owner.run(&sql).await.unwrap_or_else(|error| panic!("{file}: {error:?}"));
        }
        let note = "insert into supabase_migrations.schema_migrations (version, name, statements)
            values ($1, $2, array[$3])";
        owner.rows(note, &[&version, &title, &sql]).await.unwrap();
    }
    assert_eq!(owner.text("select count(*) from public.users").await, "0");
    assert_eq!(dev::migrations::migrate(&url, &migrations(), false, |_| {}).await.unwrap(), 0, "nothing is new");

    // What is to be done by hand, as it is written.
    let operations = std::fs::read_to_string(workspace().join("docs/operations.md")).unwrap();
    let by_hand = operations.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    owner.run(by_hand).await.unwrap();
    let report = dev::verify::verify_migrations(&postgres, &url, &migrations()).await.unwrap();
    assert!(report.differences.is_empty(), "{report}");

    // That the history knows of sample data makes it no database for development.
    let admin = Session::open(&postgres.url("supabase_admin", "pushed")).await;
    admin.run("insert into auth.users (id, email) values (gen_random_uuid(), 'trader@example.test')").await.unwrap();
    assert!(dev::migrations::ensure_development(&url).await.is_err());
}
