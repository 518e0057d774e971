-- Money, shared by the endpoints and jobs that deal with it: the one rule by which paid invoices become periods, the notices that
-- users get, an invoice and what Tripay answers about it, and the shapes of both in answers.
--
-- Whatever changes a user's periods first locks their row in users, and takes its time after that, so that of two at once the
-- later one sees what the earlier one did.

-- Periods ----------------------------------------------------------------------------------------------------------------

create function private.update_subscription_plans(user_ids uuid[], moment timestamptz) returns void
language sql
set search_path = ''
as $$
    update public.users
    set subscription_plan = in_force.plan
    from (
        select candidate.id, coalesce(lower(plans.name), 'free') as plan
        from unnest(user_ids) as candidate (id)
        -- Not plan_in_force, which costs ten times as much for each of many.
        left join lateral private.subscription_in_force(candidate.id, moment) as subscription on true
        left join public.plans on plans.id = subscription.plan_id
    ) as in_force
    where users.id = in_force.id and users.subscription_plan is distinct from in_force.plan
$$;
comment on function private.update_subscription_plans(uuid[], timestamptz) is 'users.subscription_plan follows what is in force.';
revoke execute on function private.update_subscription_plans(uuid[], timestamptz) from public, anon, authenticated, service_role;

-- How many calendar months in Jakarta lie between two moments; null if it is not a whole number of them.
create function private.months_between(anchored_at timestamptz, started_at timestamptz) returns integer
language sql
immutable
set search_path = ''
as $$
    select counted.months
    from (
        select anchored_at at time zone 'Asia/Jakarta' as anchor, started_at at time zone 'Asia/Jakarta' as start
    ) as place
    cross join lateral (
        select
            (
                12 * (extract(year from place.start) - extract(year from place.anchor))
                + extract(month from place.start) - extract(month from place.anchor)
            )::integer as months
    ) as counted
    where place.anchor + make_interval(months => counted.months) = place.start
$$;
revoke execute on function private.months_between(timestamptz, timestamptz) from public, anon, authenticated, service_role;

-- So many calendar months in Jakarta after a period's start, on the day of the month of its anchor if there is one.
create function private.period_end(anchored_at timestamptz, started_at timestamptz, months integer) returns timestamptz
language sql
immutable
set search_path = ''
as $$
    select
        (
            anchored_at at time zone 'Asia/Jakarta'
            + make_interval(months => private.months_between(anchored_at, started_at) + months)
        ) at time zone 'Asia/Jakarta'
$$;
revoke execute on function private.period_end(timestamptz, timestamptz, integer)
from public, anon, authenticated, service_role;

-- One after the other, without a gap: what has begun stays, then the better plans before the lesser ones. What is over is
-- history and never touched.
create function private.schedule_periods(user_id uuid, moment timestamptz) returns void
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
    period record;
    free_from timestamptz := moment;
    anchor timestamptz;
    ends_at timestamptz;
begin
    for period in
        select subscriptions.*, subscriptions.started_at <= moment as has_begun
        from public.subscriptions
        inner join public.plans on plans.id = subscriptions.plan_id
        where
            subscriptions.user_id = schedule_periods.user_id
            and subscriptions.status <> 'expired'
            and subscriptions.expires_at > moment
        order by has_begun desc, plans.sort_order desc, subscriptions.started_at, subscriptions.id
    loop
        if period.has_begun then
            anchor := coalesce(period.anchored_at, period.started_at);
            free_from := greatest(free_from, period.expires_at);
            continue;
        end if;
        if anchor is null or private.months_between(anchor, free_from) is null then
            anchor := free_from;
        end if;
        ends_at := case
            when period.period_months is null then free_from + (period.expires_at - period.started_at)
            else private.period_end(anchor, free_from, period.period_months)
        end;
        update public.subscriptions
        set started_at = free_from, expires_at = ends_at, anchored_at = anchor
        where
            subscriptions.id = period.id
            and (subscriptions.started_at, subscriptions.expires_at, subscriptions.anchored_at)
            is distinct from (free_from, ends_at, anchor);
        free_from := ends_at;
    end loop;
end
$$;
revoke execute on function private.schedule_periods(uuid, timestamptz) from public, anon, authenticated, service_role;

-- The period of a paid invoice. Without another it starts now; after one of the same or a better plan when that ends; and
-- before one of a lesser plan at once: the rest of that one becomes time of the new plan, at the price just paid.
create function private.grant_period(invoice public.invoices, moment timestamptz) returns public.subscriptions
language plpgsql
set search_path = ''
as $$
declare
    plan public.plans;
    current public.subscriptions := private.subscription_in_force(invoice.user_id, moment);
    granted public.subscriptions;
    months constant integer := case invoice.period when 'yearly' then 12 else 1 end;
    starts_at timestamptz := moment;
    rest numeric := 0;
begin
    select plans.* into plan from public.plans where plans.id = invoice.plan_id;
    if exists (select from public.plans where plans.id = current.plan_id and plans.sort_order < plan.sort_order) then
        rest := round(
            current.value * extract(epoch from current.expires_at - moment)
            / extract(epoch from current.expires_at - current.started_at),
            4
        );
        update public.subscriptions
        set expires_at = moment, status = 'expired', value = subscriptions.value - rest
        where subscriptions.id = current.id;
    else
        -- Behind all others, of which those of lesser plans make way below.
        select coalesce(max(subscriptions.expires_at), moment) into starts_at
        from public.subscriptions
        where
            subscriptions.user_id = invoice.user_id
            and subscriptions.status <> 'expired'
            and subscriptions.expires_at > moment;
    end if;

    insert into public.subscriptions (
        user_id, plan_id, invoice_id, status, started_at, expires_at, period_months, value, anchored_at, created_at
    )
    values (
        invoice.user_id, plan.id, invoice.id, 'active', starts_at, private.period_end(starts_at, starts_at, months), months,
        invoice.amount, starts_at, moment
    )
    returning * into granted;

    if rest > 0 then
        insert into public.subscriptions (
            user_id, plan_id, status, started_at, expires_at, value, credited_from, anchored_at, created_at
        )
        values (
            invoice.user_id, plan.id, 'active', granted.expires_at,
            -- To the second, in the payer's favour.
            granted.expires_at + make_interval(
                secs => ceil(rest * extract(epoch from granted.expires_at - granted.started_at) / granted.value)::float8
            ),
            rest, current.id, granted.expires_at, moment
        );
    end if;

    perform private.schedule_periods(invoice.user_id, moment);
    perform private.update_subscription_plans(array[invoice.user_id], moment);
    select subscriptions.* into granted from public.subscriptions where subscriptions.id = granted.id;
    return granted;
end
$$;
revoke execute on function private.grant_period(public.invoices, timestamptz) from public, anon, authenticated, service_role;

-- The money went back: what is left of its period ends now, with all that upgrades made of it, and what follows moves up.
create function private.revoke_period(invoice public.invoices, moment timestamptz) returns void
language plpgsql
set search_path = ''
as $$
begin
    with recursive withdrawn as (
        select subscriptions.id from public.subscriptions where subscriptions.invoice_id = invoice.id
        union all
        select credit.id
        from withdrawn
        inner join public.subscriptions as credit on credit.credited_from = withdrawn.id
    )

    update public.subscriptions
    set
        started_at = least(subscriptions.started_at, moment),
        expires_at = least(subscriptions.expires_at, moment),
        status = 'expired',
        value = 0,
        auto_renew = false,
        cancelled_at = coalesce(subscriptions.cancelled_at, moment)
    where subscriptions.id in (select withdrawn.id from withdrawn);
    perform private.schedule_periods(invoice.user_id, moment);
    perform private.update_subscription_plans(array[invoice.user_id], moment);
end
$$;
revoke execute on function private.revoke_period(public.invoices, timestamptz)
from public, anon, authenticated, service_role;

-- Notices ----------------------------------------------------------------------------------------------------------------

create function private.format_rupiah(amount numeric) returns text
language sql
immutable
set search_path = ''
as $$
    select 'Rp' || replace(to_char(amount, 'FM999,999,999,990'), ',', '.')
$$;
revoke execute on function private.format_rupiah(numeric) from public, anon, authenticated, service_role;

-- The day in Jakarta, as in 31 January 2026.
create function private.format_date(moment timestamptz) returns text
language sql
stable
set search_path = ''
as $$
    select to_char(moment at time zone 'Asia/Jakarta', 'FMDD FMMonth YYYY')
$$;
revoke execute on function private.format_date(timestamptz) from public, anon, authenticated, service_role;

-- One row for each fact, however often it is told; whether it was new.
create function private.create_notification(
    user_id uuid, fact text, kind text, title text, body text, context jsonb, moment timestamptz
) returns boolean
language sql
set search_path = ''
as $$
    with told as (
        insert into public.notifications (user_id, fact, kind, title, body, context, created_at)
        values (
            create_notification.user_id, create_notification.fact, create_notification.kind, create_notification.title,
            create_notification.body, create_notification.context, moment
        )
        on conflict (user_id, fact) do nothing
        returning notifications.id
    )

    select exists (select from told)
$$;
revoke execute on function private.create_notification(uuid, text, text, text, text, jsonb, timestamptz)
from public, anon, authenticated, service_role;

create function private.audit_billing(user_id uuid, message text, context jsonb, moment timestamptz) returns void
language sql
set search_path = ''
as $$
    insert into public.logs (user_id, log_level, message, context, source, created_at)
    values (audit_billing.user_id, 'info', audit_billing.message, audit_billing.context, 'billing', moment)
$$;
revoke execute on function private.audit_billing(uuid, text, jsonb, timestamptz)
from public, anon, authenticated, service_role;

-- Invoices ---------------------------------------------------------------------------------------------------------------

-- A pending invoice of somebody whose row in users is locked.
create function private.insert_invoice(
    new_id uuid,
    person public.users,
    plan public.plans,
    period text,
    method text,
    phone text,
    expired_at timestamptz,
    renews_subscription_id uuid,
    request_hash bytea,
    moment timestamptz
) returns public.invoices
language sql
set search_path = ''
as $$
    insert into public.invoices (
        id, user_id, plan_id, reference_id, amount, status, period, payment_method, description, customer_name,
        customer_email, customer_phone, expired_at, renews_subscription_id, request_hash, created_at
    )
    values (
        new_id,
        person.id,
        plan.id,
        'INV-' || new_id,
        round(case insert_invoice.period when 'yearly' then plan.price_yearly else plan.price_monthly end),
        'pending',
        insert_invoice.period,
        method,
        plan.name || ', ' || insert_invoice.period,
        coalesce(nullif(btrim(person.full_name), ''), person.email),
        person.email,
        phone,
        insert_invoice.expired_at,
        insert_invoice.renews_subscription_id,
        insert_invoice.request_hash,
        moment
    )
    returning *
$$;
revoke execute on function private.insert_invoice(
    uuid, public.users, public.plans, text, text, text, timestamptz, uuid, bytea, timestamptz
) from public, anon, authenticated, service_role;

-- What Tripay is asked to open for it.
create function private.tripay_order(invoice public.invoices) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
    select json_build_object(
        'method', invoice.payment_method,
        'merchant_ref', invoice.reference_id,
        'amount', invoice.amount::bigint,
        'item', invoice.description,
        'customer_name', invoice.customer_name,
        'customer_email', invoice.customer_email,
        'customer_phone', invoice.customer_phone,
        'expires_at', invoice.expired_at
    )
$$;
revoke execute on function private.tripay_order(public.invoices) from public, anon, authenticated, service_role;

-- What came of asking Tripay to open it: `transaction`, or none. A callback may have come before, and stands. Answers null,
-- and changes nothing, if the transaction is another invoice's.
create function private.record_tripay_response(input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    opened record;
    invoice public.invoices;
    moment constant timestamptz := coalesce((input ->> 'now')::timestamptz, now());
begin
    select field.* into opened
    from jsonb_to_record(coalesce(nullif(input -> 'transaction', 'null'), '{}')) as field (
        reference text, payment_name text, checkout_url text, pay_code text, pay_url text, qr_url text,
        expires_at timestamptz
    );
    if opened.reference is null then
        -- Only what was certainly never opened.
        update public.invoices
        set status = 'failed'
        where
            invoices.id = (input ->> 'id')::uuid
            and invoices.status = 'pending'
            and invoices.tripay_invoice_id is null
        returning invoices.* into invoice;
        if found and invoice.renews_subscription_id is not null then
            perform private.create_notification(
                invoice.user_id, 'invoice:' || invoice.id || ':failed', 'invoice', 'Your renewal needs you',
                format(
                    'No payment of %s could be opened for %s by %s. Choose another way to pay before your plan ends.',
                    private.format_rupiah(invoice.amount), invoice.description, invoice.payment_method
                ),
                jsonb_build_object('invoice_id', invoice.id), moment
            );
        end if;
    elsif exists (
        select from public.invoices as other
        where other.tripay_invoice_id = opened.reference and other.id <> (input ->> 'id')::uuid
    ) then
        return 'null'::json;
    else
        update public.invoices
        set
            tripay_invoice_id = opened.reference,
            tripay_merchant_id = input ->> 'merchant_code',
            payment_channel = left(opened.payment_name, 100),
            checkout_url = opened.checkout_url,
            pay_code = opened.pay_code,
            pay_url = opened.pay_url,
            qr_url = opened.qr_url,
            expired_at = coalesce(opened.expires_at, invoices.expired_at)
        where
            invoices.id = (input ->> 'id')::uuid
            and coalesce(invoices.tripay_invoice_id, opened.reference) = opened.reference
        returning invoices.* into invoice;
        if found and invoice.renews_subscription_id is not null and invoice.status = 'pending' then
            perform private.create_notification(
                invoice.user_id, 'invoice:' || invoice.id || ':renewal', 'invoice',
                format('Renew %s', split_part(invoice.description, ',', 1)),
                format(
                    'Pay %s by %s until %s to keep your plan.',
                    private.format_rupiah(invoice.amount), invoice.payment_channel, private.format_date(invoice.expired_at)
                ),
                jsonb_build_object('invoice_id', invoice.id, 'checkout_url', invoice.checkout_url), moment
            );
        end if;
    end if;
    select invoices.* into invoice from public.invoices where invoices.id = (input ->> 'id')::uuid;
    return private.invoice_json(invoice);
end
$$;
revoke execute on function private.record_tripay_response(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_tripay_response(jsonb) to nofomo_jobs;

-- Answers ----------------------------------------------------------------------------------------------------------------

-- The one shape of an invoice in every answer.
create function private.invoice_json(invoice public.invoices) returns json
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
    return json_build_object(
        'id', invoice.id,
        'plan_id', invoice.plan_id,
        'plan', (select plans.name from public.plans where plans.id = invoice.plan_id),
        'period', invoice.period,
        'description', invoice.description,
        'amount', invoice.amount::text,
        'status', invoice.status,
        'payment_method', invoice.payment_method,
        'payment_channel', invoice.payment_channel,
        'reference_id', invoice.reference_id,
        'tripay_invoice_id', invoice.tripay_invoice_id,
        'checkout_url', invoice.checkout_url,
        'pay_code', invoice.pay_code,
        'pay_url', invoice.pay_url,
        'qr_url', invoice.qr_url,
        'expired_at', invoice.expired_at,
        'paid_at', invoice.paid_at,
        'refunded_at', invoice.refunded_at,
        'created_at', invoice.created_at
    );
end
$$;
revoke execute on function private.invoice_json(public.invoices) from public, anon, authenticated, service_role;
grant execute on function private.invoice_json(public.invoices) to nofomo_api;

-- The one shape of a subscription in every answer. plan_ends_at: the end of the unbroken time of its plan, with the
-- periods that follow.
create function private.subscription_json(subscription public.subscriptions) returns json
language plpgsql
stable
security definer
set search_path = ''
set timezone = 'UTC'
as $$
begin
    return (
        select json_build_object(
            'id', subscription.id,
            'plan', plans.name,
            'status', subscription.status,
            'started_at', subscription.started_at,
            'expires_at', subscription.expires_at,
            'plan_ends_at', (
                select max(following.expires_at)
                from public.subscriptions as following
                where
                    following.user_id = subscription.user_id
                    and following.plan_id = subscription.plan_id
                    and (following.id = subscription.id or following.status <> 'expired')
                    -- Better plans come first: between two periods of one plan there is never another.
                    and following.started_at >= subscription.started_at
            ),
            'cancelled_at', subscription.cancelled_at,
            'auto_renew', subscription.auto_renew,
            'trial_ends_at', subscription.trial_ends_at
        )
        from public.plans
        where plans.id = subscription.plan_id
    );
end
$$;
revoke execute on function private.subscription_json(public.subscriptions) from public, anon, authenticated, service_role;
grant execute on function private.subscription_json(public.subscriptions) to nofomo_api;
