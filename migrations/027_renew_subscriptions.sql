-- Daily: says 7, 3 and 1 days before a plan ends that it will, and 3 days before opens the invoice that renews it.
--
-- A run is a row of calls, each a batch and a transaction of its own, as with expire_subscriptions. The invoices are committed
-- here and opened at Tripay after.

create function private.notify_plan_end(ending public.subscriptions, moment timestamptz) returns boolean
language plpgsql
set search_path = ''
as $$
declare
    plan_name text := (select plans.name from public.plans where plans.id = ending.plan_id);
    days constant integer := case
        when ending.expires_at <= moment + interval '1 day' then 1
        when ending.expires_at <= moment + interval '3 days' then 3
        else 7
    end;
begin
    -- A week's trial is not announced to end when it begins.
    if ending.expires_at - ending.started_at <= make_interval(days => days) then
        return false;
    end if;
    return private.create_notification(
        ending.user_id,
        format('subscription:%s:ends-in-%s', ending.id, days),
        'subscription',
        format('%s ends on %s', plan_name, private.format_date(ending.expires_at)),
        case
            when ending.status = 'trial' then 'It was a trial. Buy the plan to keep it.'
            when not ending.auto_renew then 'You cancelled its renewal. Resume it, or buy the plan again, to keep it.'
            when days > 3 then 'Three days before, you get an invoice that renews it.'
            else 'Pay the invoice that renews it, or buy the plan again, to keep it.'
        end,
        jsonb_build_object('subscription_id', ending.id, 'expires_at', ending.expires_at),
        moment
    );
end
$$;
revoke execute on function private.notify_plan_end(public.subscriptions, timestamptz)
from public, anon, authenticated, service_role;

-- The invoice that renews it, at today's price and paid as the last one was; null if there is none to open.
create function private.insert_renewal_invoice(ending public.subscriptions, moment timestamptz) returns public.invoices
language plpgsql
set search_path = ''
as $$
declare
    plan public.plans;
    person public.users;
    paid public.invoices;
begin
    if ending.status <> 'active' or not ending.auto_renew or ending.expires_at > moment + interval '3 days' then
        return null;
    end if;
    select plans.* into plan from public.plans where plans.id = ending.plan_id and plans.is_active;
    select invoices.* into paid
    from public.invoices
    where
        invoices.user_id = ending.user_id
        and invoices.plan_id = plan.id
        and invoices.status = 'paid'
        and invoices.refunded_at is null
        and invoices.payment_method is not null
    order by invoices.paid_at desc
    limit 1;
    if
        not found
        or coalesce(round(case paid.period when 'yearly' then plan.price_yearly else plan.price_monthly end), 0) <= 0
        or exists (
            select from public.invoices
            where
                invoices.renews_subscription_id = ending.id
                -- Or one that he asked for himself.
                or (
                    invoices.user_id = ending.user_id
                    and invoices.plan_id = plan.id
                    and invoices.status = 'pending'
                    and invoices.expired_at > moment + interval '10 minutes'
                )
        )
    then
        return null;
    end if;
    select users.* into person from public.users where users.id = ending.user_id;
    perform private.audit_billing(
        person.id, 'Opened renewal invoice',
        jsonb_build_object('action', 'renew-subscription', 'subscription_id', ending.id), moment
    );
    return private.insert_invoice(
        private.uuid_v7(), person, plan, coalesce(paid.period, 'monthly'), paid.payment_method, paid.customer_phone,
        greatest(ending.expires_at, moment + interval '1 day'), ending.id, null, moment
    );
end
$$;
revoke execute on function private.insert_renewal_invoice(public.subscriptions, timestamptz)
from public, anon, authenticated, service_role;

-- Outcome: `notices`, how many were written; `opened`, the invoices to open at Tripay; `failures`; and `after`.
create function private.renew_subscriptions(input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
    moment constant timestamptz := (input ->> 'now')::timestamptz;
    batch_limit constant bigint := (input ->> 'limit')::bigint;
    ending public.subscriptions;
    last public.subscriptions;
    size bigint := 0;
    is_told boolean;
    invoice public.invoices;
    notices bigint := 0;
    opened json[] := array[]::json[];
    failures json[] := array[]::json[];
begin
    for last in
        select subscriptions.*
        from public.subscriptions
        where
            subscriptions.status <> 'expired'
            and subscriptions.expires_at > moment
            and subscriptions.expires_at <= moment + interval '7 days'
            and (
                input ->> 'after' is null
                or (subscriptions.expires_at, subscriptions.id)
                > ((input #>> '{after,expires_at}')::timestamptz, (input #>> '{after,id}')::uuid)
            )
        order by subscriptions.expires_at, subscriptions.id
        limit batch_limit
    loop
        size := size + 1;
        perform from public.users where users.id = last.user_id for no key update skip locked;
        continue when not found;
        -- As it is now, and only where its plan does not go on.
        select subscriptions.* into ending
        from public.subscriptions
        where
            subscriptions.id = last.id
            and subscriptions.status <> 'expired'
            and subscriptions.expires_at = last.expires_at
            and not exists (
                select from public.subscriptions as following
                where
                    following.user_id = last.user_id
                    and following.plan_id = last.plan_id
                    and following.status <> 'expired'
                    and following.started_at >= last.expires_at
            );
        continue when not found;
        begin
            is_told := private.notify_plan_end(ending, moment);
            invoice := private.insert_renewal_invoice(ending, moment);
            -- Counted last: what an error undoes was not done.
            notices := notices + is_told::integer;
            if invoice.id is not null then
                opened := opened || json_build_object('id', invoice.id, 'order', private.tripay_order(invoice));
            end if;
        exception when others then
            failures := failures || json_build_object('user_id', last.user_id, 'cause', sqlstate || ' ' || sqlerrm);
        end;
    end loop;
    return json_build_object(
        'notices', notices,
        'opened', to_json(opened),
        'failures', to_json(failures),
        'after', case when size = batch_limit then json_build_object('expires_at', last.expires_at, 'id', last.id) end
    );
end
$$;
comment on function private.renew_subscriptions(jsonb) is 'Daily: one batch of subscriptions that end within a week';
revoke execute on function private.renew_subscriptions(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.renew_subscriptions(jsonb) to nofomo_jobs;
