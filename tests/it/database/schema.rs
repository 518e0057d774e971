//! Comparison of the schema with the specification of the database: tables, indexes, functions, views and sample data.

use local_database::postgres::Postgres;

use crate::support::database::{Database, PRO, Session, default_grants, migrations, run_directory, server};

const SPECIFIED: &str = include_str!("../../fixtures/specified_tables.sql");

/// Returns the columns of a schema, with name, type and nullability.
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

/// Returns the constraints of a schema without their names: checks, keys and references.
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
async fn the_ten_specified_tables_have_the_specified_columns_types_and_checks() {
    let database = Database::new().await;
    let owner = database.owner().await;
    owner
        .run(&format!(
            "create schema specified; set search_path = specified, extensions; {SPECIFIED} ; reset search_path"
        ))
        .await
        .unwrap();

    let (ours, specified) = (columns(&owner, "public").await, columns(&owner, "specified").await);
    assert_eq!(only_in(&specified, &ours), Vec::<&str>::new(), "specified columns that the schema lacks");
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
    assert_eq!(only_in(&specified, &ours), Vec::<&str>::new(), "specified constraints that the schema lacks");
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
async fn the_specified_indexes_functions_and_views_exist() {
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

/// Without such an index, deleting a referenced row scans the whole table.
#[tokio::test]
async fn every_foreign_key_is_the_first_column_of_an_index() {
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
async fn realtime_publishes_the_tables_that_apps_watch() {
    let database = Database::new().await;
    let published = "select string_agg(tablename, ' ' order by tablename) from pg_publication_tables where pubname = 'supabase_realtime'";
    assert_eq!(database.owner().await.text(published).await, "bots notifications trades");
}

#[tokio::test]
async fn the_sample_data_is_complete() {
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

/// Returns the row count of every table in `public` and `private`.
async fn row_counts(owner: &Session) -> Vec<String> {
    let tables = "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables
        where schemaname in ('public', 'private') order by 1";
    let mut counts = Vec::new();
    for table in owner.list(tables).await {
        counts.push(format!("{table} {}", owner.text(&format!("select count(*) from {table}")).await));
    }
    counts
}

#[tokio::test]
async fn sample_data_is_added_once_and_only_on_request() {
    // A separate server, because the setting of a database is changed.
    let postgres = Postgres::start(&run_directory("postgres-sample-data"), None).await.unwrap();
    let migrated = async |name: &str| {
        local_database::supabase::create_database(&postgres, name, default_grants()).await.unwrap();
        let url = postgres.url("postgres", name);
        if name == "in_order" {
            let admin = Session::open(&postgres.url("supabase_admin", name)).await;
            admin.run("alter database in_order set nofomo.sample_data = 'on'").await.unwrap();
        }
        ops::migrations::migrate(&url, &migrations(), |_| {}).await.unwrap();
        (Session::open(&url).await, url)
    };
    let (owner, url) = migrated("on_request").await;
    let empty = row_counts(&owner).await;
    assert!(empty.iter().all(|count| count.ends_with(" 0")), "{empty:?}");
    let file = std::fs::read_to_string(migrations().join("003_sample_data.sql")).unwrap();
    owner.run(&file).await.unwrap();
    assert_eq!(row_counts(&owner).await, empty, "applying the file without the setting adds nothing");

    assert!(ops::migrations::add_sample_data(&url, &migrations()).await.unwrap());
    let sampled = row_counts(&owner).await;
    assert!(sampled.contains(&"public.users 3".into()) && sampled.contains(&"private.strategy_sources 3".into()));
    assert!(!ops::migrations::add_sample_data(&url, &migrations()).await.unwrap(), "the sample data exists");
    assert_eq!(row_counts(&owner).await, sampled);

    let (in_order, _) = migrated("in_order").await;
    assert_eq!(row_counts(&in_order).await, sampled, "the order of the files does not matter");
    drop((owner, in_order));
    postgres.stop().await.unwrap();
}

/// Roles belong to the server, so concurrent migrations must not conflict on the roles.
#[tokio::test]
async fn databases_of_one_server_can_be_migrated_concurrently() {
    let postgres = server().await;
    let names: Vec<_> = (0..6).map(|_| format!("test_{}", uuid::Uuid::new_v4().simple())).collect();
    for name in &names {
        local_database::supabase::create_database(postgres, name, default_grants()).await.unwrap();
    }
    let migrated = names.iter().map(async |name| {
        ops::migrations::migrate(&postgres.url("postgres", name), &migrations(), |_| {}).await.unwrap()
    });
    let counts = futures_util::future::join_all(migrated).await;
    assert!(counts[0] > 0 && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    for name in &names {
        local_database::supabase::drop_database(postgres, name).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_with_its_own_plans_or_users_gets_no_sample_data() {
    let database = Database::new().await;
    let (owner, url) = (database.owner().await, database.url("postgres"));
    let admin = database.session("supabase_admin").await;
    admin.run("truncate public.plans, auth.users cascade; delete from public.users").await.unwrap();
    let plan = "insert into public.plans (name, price_monthly, features, max_bots, max_strategies)
        values ('Free', 0, '[]', 1, 1)";
    // A plan with an id of the sample data.
    let copied =
        plan.replace("(name,", "(id, name,").replace("('Free'", "('0190a000-0000-7000-8000-000000000001', 'Copied'");
    let user = "insert into auth.users (id, email) values (gen_random_uuid(), 'trader@example.test')";
    for (found, statement) in [("plans", plan), ("plans", &copied), ("users", user)] {
        admin.run(statement).await.unwrap();
        let before = row_counts(&owner).await;
        let error = ops::migrations::add_sample_data(&url, &migrations()).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("the database has {found} and no sample data, ")), "{error}");
        assert!(
            error.ends_with("; use the URL of an empty database, or recreate the local one with `cargo dev --fresh`"),
            "{error}"
        );
        assert!(ops::migrations::ensure_development(&url).await.is_err(), "{found}");
        assert_eq!(row_counts(&owner).await, before);
    }
}

#[tokio::test]
async fn a_database_with_other_migrations_is_refused_and_not_changed() {
    for (change, difference) in [
        (
            "update supabase_migrations.schema_migrations set statements = array['select 1'] where version = '004'",
            "004_billing.sql was changed after it was applied",
        ),
        (
            "update supabase_migrations.schema_migrations set name = 'create_bot' where version = '004'",
            "version 004 is create_bot in the database and 004_billing.sql here",
        ),
        (
            "insert into supabase_migrations.schema_migrations (version, name) values ('036', 'get_portfolio')",
            "it has 036_get_portfolio, which is missing here",
        ),
    ] {
        let database = Database::new().await;
        let owner = database.owner().await;
        // The check runs before new files are applied, so the missing file is not applied.
        owner.run("delete from supabase_migrations.schema_migrations where version = '029'").await.unwrap();
        owner.run(change).await.unwrap();
        let error = ops::migrations::migrate(&database.url("postgres"), &migrations(), |file| panic!("{file}")).await;
        let expected = format!(
            "the database was migrated with other files: {difference}; recreate a local database with \
             `cargo dev --fresh`; for any other, see migrations/README.md"
        );
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn a_sign_up_creates_a_profile_and_never_fails_because_of_the_email_address() {
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
async fn deleting_an_account_deletes_its_rows_and_frees_its_email_address() {
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
