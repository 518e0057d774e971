//! Access of every role to every table, view and function of the catalog. A new object fails here until its access is
//! approved in a snapshot.

use std::fmt::Write;

use tokio_postgres::error::SqlState;

use crate::support::database::{Database, FREE, PRO, Session};

/// Caller of statements on the rows of the user `pro`.
#[derive(Clone, Copy)]
enum Caller {
    Anonymous,
    Owner,
    Other,
    Api,
    Jobs,
    /// Supabase's service key, which bypasses policies.
    Service,
}

impl Caller {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Anonymous, "anonymous"),
        (Self::Owner, "owner"),
        (Self::Other, "other"),
        (Self::Api, "nofomo_api"),
        (Self::Jobs, "nofomo_jobs"),
        (Self::Service, "service_role"),
    ];

    async fn begin(self, database: &Database) -> Session {
        let login = match self {
            Self::Jobs => "nofomo_jobs",
            // The role that may switch to service_role.
            Self::Service => "postgres",
            _ => "nofomo_api",
        };
        let session = database.session(login).await;
        match self {
            Self::Anonymous => session.become_anonymous().await,
            Self::Owner => session.become_user(PRO).await,
            Self::Other => session.become_user(FREE).await,
            Self::Api | Self::Jobs => session.run("begin").await.unwrap(),
            Self::Service => session.run("begin; set local role service_role").await.unwrap(),
        }
        session
    }
}

/// Runs a statement and rolls it back. Returns `-` if it was refused, `0` if it affected no rows, and `yes` otherwise.
async fn attempt(session: &Session, sql: &str) -> &'static str {
    session.run("savepoint attempt").await.unwrap();
    let outcome = match session.0.execute_typed(sql, &[]).await {
        Ok(0) => "0",
        Ok(_) => "yes",
        Err(error) => match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "-",
            _ => panic!("{sql}: {error:?}"),
        },
    };
    session.run("rollback to attempt").await.unwrap();
    outcome
}

struct Relation {
    name: String,
    is_view: bool,
    columns: Vec<String>,
}

impl Relation {
    async fn all(owner: &Session) -> Vec<Self> {
        let rows = owner
            .rows(
                "select c.oid::regclass::text, c.relkind::text = 'v',
                        array(select a.attname::text from pg_attribute a
                              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)
                 from pg_class c
                 where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm', 'f')
                 order by c.relkind::text, c.relname",
                &[],
            )
            .await
            .unwrap();
        rows.iter().map(|row| Self { name: row.get(0), is_view: row.get(1), columns: row.get(2) }).collect()
    }

    /// Returns the condition for the rows of the user `pro`, or for all rows of a relation without a user.
    fn rows_of_pro(&self) -> String {
        match self.name.as_str() {
            "users" => format!("id = '{PRO}'"),
            _ if self.columns.iter().any(|column| column == "user_id") => format!("user_id = '{PRO}'"),
            _ => "true".into(),
        }
    }
}

#[tokio::test]
async fn every_table_and_view_is_open_only_to_the_approved_roles() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let mut matrix = String::new();
    for relation in Relation::all(&owner).await {
        writeln!(matrix, "{}", relation.name).unwrap();
        let name = &relation.name;
        let rows = relation.rows_of_pro();
        for (caller, title) in Caller::ALL {
            let session = caller.begin(&database).await;
            let select = attempt(&session, &format!("select 1 from {name} where {rows}")).await;
            let role = session.text("select current_user").await;
            let granted = granted(&owner, &role, name).await;
            let [select, insert, delete, truncate, update] = match caller {
                Caller::Service => granted,
                _ if relation.is_view => {
                    let [_, insert, delete, truncate, update] = granted;
                    [select.into(), insert, delete, truncate, update]
                }
                _ => {
                    let mut updated = Vec::new();
                    for column in &relation.columns {
                        let sql = format!("update {name} set {column} = {column} where {rows}");
                        if attempt(&session, &sql).await == "yes" {
                            updated.push(column.as_str());
                        }
                    }
                    let insert = insert(&owner, &session, &relation, &rows).await;
                    let delete = attempt(&session, &format!("delete from {name} where {rows}")).await;
                    let updated = if updated.is_empty() { "-".into() } else { updated.join(" ") };
                    // Truncating would need the same privilege on every table that references this one.
                    let [_, _, _, truncate, _] = granted;
                    [select.into(), insert.into(), delete.into(), truncate, updated]
                }
            };
            writeln!(
                matrix,
                "  {title:<12} select {select:<4} insert {insert:<4} delete {delete:<4} truncate {truncate:<4} update {update}"
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(matrix);
}

/// Returns the privileges of a role. Used for service_role, which has no rows of its own, and for views, which nobody
/// can write to.
async fn granted(owner: &Session, role: &str, name: &str) -> [String; 5] {
    let may = async |scope: &str, privilege: &str| {
        let question = format!("select has_{scope}_privilege('{role}', '{name}', '{privilege}')");
        if owner.text(&question).await == "true" { "yes" } else { "-" }.to_owned()
    };
    let updated = owner
        .text(&format!(
            "select string_agg(attname, ' ' order by attnum) from pg_attribute where attrelid = '{name}'::regclass and attnum > 0
             and not attisdropped and has_column_privilege('{role}', attrelid, attnum, 'update')"
        ))
        .await;
    [
        may("any_column", "select").await,
        may("any_column", "insert").await,
        may("table", "delete").await,
        may("table", "truncate").await,
        if updated.is_empty() { "-".into() } else { updated },
    ]
}

/// Attempts to insert a copy of one of the user's rows, with the columns that the caller may set.
async fn insert(owner: &Session, session: &Session, relation: &Relation, rows: &str) -> &'static str {
    let name = &relation.name;
    let granted = format!(
        "select a.attname::text from pg_attribute a where a.attrelid = '{name}'::regclass and a.attnum > 0
         and not a.attisdropped and has_column_privilege('{name}', a.attnum, 'insert') order by a.attnum"
    );
    session.run("savepoint granted").await.unwrap();
    let Ok(granted) = session.rows(&granted, &[]).await else {
        // Without USAGE on its schema, the caller cannot write to it either.
        session.run("rollback to granted").await.unwrap();
        return "-";
    };
    let columns: Vec<String> = granted.iter().map(|row| row.get(0)).collect();
    if columns.is_empty() {
        return "-";
    }
    let row = owner
        .text(&format!(
            "select to_jsonb(t) || jsonb_build_object('id', gen_random_uuid()) from {name} t where {rows} limit 1"
        ))
        .await
        .replace('\'', "''");
    let columns = columns.join(", ");
    let sql =
        format!("insert into {name} ({columns}) select {columns} from jsonb_populate_record(null::{name}, '{row}')");
    attempt(session, &sql).await
}

#[tokio::test]
async fn every_function_is_executable_only_by_the_approved_roles() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let rows = owner
        .rows(
            "select p.oid::regprocedure::text,
                    array_to_string(array(
                        select r.rolname::text from pg_roles r
                        where r.rolname in ('anon', 'authenticated', 'service_role', 'nofomo_api', 'nofomo_jobs')
                              and has_function_privilege(r.oid, p.oid, 'execute')
                        order by r.rolname), ' '),
                    array_to_string(array(
                        select r.rolname::text from pg_roles r
                        where r.rolname in ('anon', 'authenticated', 'service_role', 'nofomo_api', 'nofomo_jobs')
                              and has_function_privilege(r.oid, p.oid, 'execute')
                              and has_schema_privilege(r.oid, p.pronamespace, 'usage')
                        order by r.rolname), ' '),
                    case when p.prosecdef then 'definer' else 'invoker' end,
                    p.proconfig @> array['search_path=\"\"']
             from pg_proc p
             where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
             order by 1",
            &[],
        )
        .await
        .unwrap();
    let mut matrix = String::new();
    for row in rows {
        let [function, execute, call, security]: [String; 4] = [row.get(0), row.get(1), row.get(2), row.get(3)];
        let pinned: Option<bool> = row.get(4);
        assert_eq!(pinned, Some(true), "{function} does not pin its search_path");
        let [execute, call] = [execute, call].map(|roles| if roles.is_empty() { "nobody".into() } else { roles });
        writeln!(matrix, "{function} ({security})\n  may execute: {execute}\n  may call by name: {call}").unwrap();
    }
    insta::assert_snapshot!(matrix);
}

#[tokio::test]
async fn every_table_has_row_level_security_and_every_view_runs_as_its_caller() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let exceptions = owner
        .text(
            "select string_agg(relname, ' ') from pg_class where relnamespace = 'public'::regnamespace and (
                 (relkind in ('r', 'p') and not relrowsecurity)
                 or (relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false))
                 or relkind in ('m', 'f'))",
        )
        .await;
    assert_eq!(exceptions, "");
}

/// Each of these statements would give a user something that must be earned or paid for.
#[tokio::test]
async fn users_cannot_give_themselves_plans_verification_or_statistics() {
    let database = Database::new().await;
    let plan = "(select id from public.plans where name = 'Enterprise')";
    let attempts = [
        format!(
            "insert into public.subscriptions (user_id, plan_id, status, started_at, expires_at)
             values ('{FREE}', {plan}, 'active', now(), now() + interval '1 year')"
        ),
        "update public.subscriptions set expires_at = 'infinity'".into(),
        format!("insert into public.invoices (user_id, amount, status) values ('{FREE}', 1, 'paid')"),
        "update public.invoices set status = 'paid'".into(),
        "update public.strategies set is_verified = true".into(),
        "update public.strategies set content = 'other'".into(),
        format!(
            "insert into public.strategies (user_id, name, strategy_type, is_verified, is_public)
             values ('{FREE}', 'x', 'marketplace', true, true)"
        ),
        "insert into public.plans (name, price_monthly, features, max_bots, max_strategies) values ('Mine', 0, '{}', -1, -1)"
            .into(),
        "update public.plans set max_bots = -1".into(),
        "update public.users set subscription_plan = 'enterprise'".into(),
        "update public.users set is_active = true".into(),
        "update public.users set exchange_credentials = '{\"binance\": {}}'".into(),
        "select exchange_credentials from public.users".into(),
        "update public.bots set profit = 1".into(),
        "update public.bots set winning_trades = 9, total_trades = 9".into(),
        "update public.bots set current_balance = 1000000".into(),
        "update public.bots set is_paper_trade = false".into(),
        format!(
            "insert into public.trades (bot_id, user_id, exchange, trading_pair, side, order_type, amount, price, profit, status, entry_time)
             select id, user_id, exchange, trading_pair, 'buy', 'market', 1, 1, 1000, 'closed', now() from public.bots where user_id = '{FREE}'"
        ),
        "update public.trades set profit = 1000".into(),
        "delete from public.trades where profit < 0".into(),
        format!("insert into public.logs (user_id, log_level, message, source) values ('{FREE}', 'info', 'forged', 'api')"),
        "delete from public.logs".into(),
        format!(
            "insert into public.ai_analyses (user_id, analysis_type, input_data, results) values ('{FREE}', 'risk', '{{}}', '{{}}')"
        ),
        "truncate public.bots cascade".into(),
        "truncate public.trades".into(),
        "select private.plan_in_force(auth.uid())".into(),
        "select private.create_profile(gen_random_uuid(), 'x@y.z', '')".into(),
        "select private.marketplace_entry(gen_random_uuid())".into(),
        "select * from auth.users".into(),
    ];
    for sql in attempts {
        let session = Caller::Other.begin(&database).await;
        assert_eq!(attempt(&session, &sql).await, "-", "{sql}");
    }
}

#[tokio::test]
async fn the_performance_of_another_user_is_empty() {
    let database = Database::new().await;
    let performance = format!("select total_trades from public.get_user_trading_performance('{PRO}')");
    let other = Caller::Other.begin(&database).await;
    assert_eq!(other.text(&performance).await, "0");
    let own = Caller::Owner.begin(&database).await;
    assert_eq!(own.text(&performance).await, "60");
}

#[tokio::test]
async fn a_deactivated_user_cannot_write() {
    let database = Database::new().await;
    database.owner().await.run(&format!("update public.users set is_active = false where id = '{PRO}'")).await.unwrap();
    let session = Caller::Owner.begin(&database).await;
    for sql in [
        "update public.bots set name = name",
        "delete from public.bots",
        "update public.users set full_name = full_name",
        "update public.strategies set name = name",
        "update public.notifications set read_at = now()",
    ] {
        assert_eq!(attempt(&session, sql).await, "0", "{sql}");
    }
}

#[tokio::test]
async fn changing_the_source_of_a_strategy_removes_its_verification() {
    let database = Database::new().await;
    let owner = database.owner().await;
    let verified = "select count(*) from public.strategies where is_verified";
    assert_eq!(owner.text(verified).await, "1");
    owner.run("update public.strategies set description = 'other' where is_verified").await.unwrap();
    assert_eq!(owner.text(verified).await, "1");
    owner.run("update public.strategies set content = content || ' ' where is_verified").await.unwrap();
    assert_eq!(owner.text(verified).await, "0");
}
