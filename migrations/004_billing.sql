-- Billing functions that several endpoints and jobs share: how a paid invoice becomes a subscription period,
-- notifications, invoices and their Tripay transactions, and the JSON of both.
--
-- A function that changes a user's periods first locks the user's row in users, and then reads the clock. So the second
-- of two concurrent changes sees the result of the first.

-- Periods -------------------------------------------------------------------------------------------------------------

create function private.update_subscription_plans(user_ids uuid[], moment timestamptz) returns void
language sql
set search_path = ''
as $$
    update public.users
    set subscription_plan = in_force.plan
    from (
        select candidate.id, coalesce(lower(plans.name), 'free') as plan
        from unnest(user_ids) as candidate (id)
        -- Not plan_in_force, which costs ten times as much per user.
        left join lateral private.subscription_in_force(candidate.id, moment) as subscription on true
        left join public.plans on plans.id = subscription.plan_id
    ) as in_force
    where users.id = in_force.id and users.subscription_plan is distinct from in_force.plan
$$;
comment on function private.update_subscription_plans(uuid[], timestamptz) is
    'Sets users.subscription_plan to the plan in force.';
revoke execute on function private.update_subscription_plans(uuid[], timestamptz)
from public, anon, authenticated, service_role;

-- Returns the number of calendar months between two times, in the time zone of Jakarta. Null unless it is a whole
-- number of months.
create function private.months_between(anchored_at timestamptz, started_at timestamptz) returns integer
language sql
immutable
set search_path = ''
as $$
    select counted.months
    from (
        select anchored_at at time zone 'Asia/Jakarta' as anchor, started_at at time zone 'Asia/Jakarta' as start
    ) as local_time
    cross join lateral (
        select
            (
                12 * (extract(year from local_time.start) - extract(year from local_time.anchor))
                + extract(month from local_time.start) - extract(month from local_time.anchor)
            )::integer as months
    ) as counted
    where local_time.anchor + make_interval(months => counted.months) = local_time.start
$$;
revoke execute on function private.months_between(timestamptz, timestamptz)
from public, anon, authenticated, service_role;

-- Returns the end of a period: the given number of calendar months after its start, in the time zone of Jakarta, on the
-- day of the month of its anchor. Null unless the period starts a whole number of months after the anchor.
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

-- Schedules the future periods of a user one after the other, without a gap: first the current periods, then higher
-- plans before lower plans. Past periods are never changed.
create function private.schedule_periods(user_id uuid, moment timestamptz) returns void
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
    period record;
    next_start timestamptz := moment;
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
            next_start := greatest(next_start, period.expires_at);
            continue;
        end if;
        if anchor is null or private.months_between(anchor, next_start) is null then
            anchor := next_start;
        end if;
        ends_at := case
            when period.period_months is null then next_start + (period.expires_at - period.started_at)
            else private.period_end(anchor, next_start, period.period_months)
        end;
        update public.subscriptions
        set started_at = next_start, expires_at = ends_at, anchored_at = anchor
        where
            subscriptions.id = period.id
            and (subscriptions.started_at, subscriptions.expires_at, subscriptions.anchored_at)
            is distinct from (next_start, ends_at, anchor);
        next_start := ends_at;
    end loop;
end
$$;
revoke execute on function private.schedule_periods(uuid, timestamptz) from public, anon, authenticated, service_role;

-- Grants the period of a paid invoice. The period starts now if no subscription is in force. If the current plan is the
-- same or a higher one, it starts when that plan ends. If the current plan is a lower one, it starts at once, and
-- the value of the remaining time is converted into time of the new plan, at the price just paid.
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
    remaining_value numeric := 0;
begin
    select plans.* into plan from public.plans where plans.id = invoice.plan_id;
    if exists (select from public.plans where plans.id = current.plan_id and plans.sort_order < plan.sort_order) then
        remaining_value := round(
            current.value * extract(epoch from current.expires_at - moment)
            / extract(epoch from current.expires_at - current.started_at),
            4
        );
        update public.subscriptions
        set expires_at = moment, status = 'expired', value = subscriptions.value - remaining_value
        where subscriptions.id = current.id;
    else
        -- After all other periods. schedule_periods then moves it before those of lower plans.
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

    if remaining_value > 0 then
        insert into public.subscriptions (
            user_id, plan_id, status, started_at, expires_at, value, credited_from, anchored_at, created_at
        )
        values (
            invoice.user_id, plan.id, 'active', granted.expires_at,
            -- Rounded up to a full second, in the payer's favour.
            granted.expires_at + make_interval(
                secs => ceil(
                    remaining_value * extract(epoch from granted.expires_at - granted.started_at) / granted.value
                )::float8
            ),
            remaining_value, current.id, granted.expires_at, moment
        );
    end if;

    perform private.schedule_periods(invoice.user_id, moment);
    perform private.update_subscription_plans(array[invoice.user_id], moment);
    select subscriptions.* into granted from public.subscriptions where subscriptions.id = granted.id;
    return granted;
end
$$;
revoke execute on function private.grant_period(public.invoices, timestamptz)
from public, anon, authenticated, service_role;

-- Ends the period of a refunded invoice, and all credits that upgrades made from it. Later periods move up.
create function private.revoke_period(invoice public.invoices, moment timestamptz) returns void
language plpgsql
set search_path = ''
as $$
begin
    with recursive revoked as (
        select subscriptions.id from public.subscriptions where subscriptions.invoice_id = invoice.id
        union all
        select credit.id
        from revoked
        inner join public.subscriptions as credit on credit.credited_from = revoked.id
    )

    update public.subscriptions
    set
        started_at = least(subscriptions.started_at, moment),
        expires_at = least(subscriptions.expires_at, moment),
        status = 'expired',
        value = 0,
        auto_renew = false,
        cancelled_at = coalesce(subscriptions.cancelled_at, moment)
    where subscriptions.id in (select revoked.id from revoked);
    perform private.schedule_periods(invoice.user_id, moment);
    perform private.update_subscription_plans(array[invoice.user_id], moment);
end
$$;
revoke execute on function private.revoke_period(public.invoices, timestamptz)
from public, anon, authenticated, service_role;

-- Notifications -------------------------------------------------------------------------------------------------------

-- Formats an amount in rupiah, as in Rp149.000.
create function private.format_rupiah(amount numeric) returns text
language sql
immutable
set search_path = ''
as $$
    select 'Rp' || replace(to_char(amount, 'FM999,999,999,990'), ',', '.')
$$;
revoke execute on function private.format_rupiah(numeric) from public, anon, authenticated, service_role;

-- Formats the date in Jakarta, as in 31 January 2026.
create function private.format_date(moment timestamptz) returns text
language sql
stable
set search_path = ''
as $$
    select to_char(moment at time zone 'Asia/Jakarta', 'FMDD FMMonth YYYY')
$$;
revoke execute on function private.format_date(timestamptz) from public, anon, authenticated, service_role;

-- Notifies a user once for each `fact`, the key of an event. Returns true if the notification is new.
create function private.create_notification(
    user_id uuid, fact text, kind text, title text, body text, context jsonb, moment timestamptz
) returns boolean
language sql
set search_path = ''
as $$
    with inserted as (
        insert into public.notifications (user_id, fact, kind, title, body, context, created_at)
        values (
            create_notification.user_id, create_notification.fact, create_notification.kind, create_notification.title,
            create_notification.body, create_notification.context, moment
        )
        on conflict (user_id, fact) do nothing
        returning notifications.id
    )

    select exists (select from inserted)
$$;
revoke execute on function private.create_notification(uuid, text, text, text, text, jsonb, timestamptz)
from public, anon, authenticated, service_role;

-- Adds a billing event to the audit trail.
create function private.audit_billing(user_id uuid, message text, context jsonb, moment timestamptz) returns void
language sql
set search_path = ''
as $$
    insert into public.logs (user_id, log_level, message, context, source, created_at)
    values (audit_billing.user_id, 'info', audit_billing.message, audit_billing.context, 'billing', moment)
$$;
revoke execute on function private.audit_billing(uuid, text, jsonb, timestamptz)
from public, anon, authenticated, service_role;

-- Invoices ------------------------------------------------------------------------------------------------------------

-- Inserts a pending invoice for a user whose row in users is locked.
create function private.insert_invoice(
    invoice_id uuid,
    customer public.users,
    plan public.plans,
    period text,
    payment_method text,
    customer_phone text,
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
        invoice_id,
        customer.id,
        plan.id,
        'INV-' || invoice_id,
        round(case insert_invoice.period when 'yearly' then plan.price_yearly else plan.price_monthly end),
        'pending',
        insert_invoice.period,
        insert_invoice.payment_method,
        plan.name || ', ' || insert_invoice.period,
        coalesce(nullif(btrim(customer.full_name), ''), customer.email),
        customer.email,
        insert_invoice.customer_phone,
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

-- Returns the order to send to Tripay for an invoice.
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

-- Records Tripay's response to an order: `transaction`, or null if Tripay created none. Tripay's callback may have been
-- recorded before, and is not overwritten. Returns null, and changes nothing, if the transaction belongs to another
-- invoice.
create function private.record_tripay_response(input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    transaction record;
    invoice public.invoices;
    moment constant timestamptz := coalesce((input ->> 'now')::timestamptz, now());
begin
    select field.* into transaction
    from jsonb_to_record(coalesce(nullif(input -> 'transaction', 'null'), '{}')) as field (
        reference text, payment_name text, checkout_url text, pay_code text, pay_url text, qr_url text,
        expires_at timestamptz
    );
    if transaction.reference is null then
        -- Only if no transaction was ever recorded for the invoice.
        update public.invoices
        set status = 'failed'
        where
            invoices.id = (input ->> 'id')::uuid
            and invoices.status = 'pending'
            and invoices.tripay_invoice_id is null
        returning invoices.* into invoice;
        if found and invoice.renews_subscription_id is not null then
            perform private.create_notification(
                invoice.user_id, 'invoice:' || invoice.id || ':failed', 'invoice', 'Renewal payment failed',
                format(
                    'The payment of %s for %s by %s could not be created. '
                    'Choose another payment method before your plan ends.',
                    private.format_rupiah(invoice.amount), invoice.description, invoice.payment_method
                ),
                jsonb_build_object('invoice_id', invoice.id), moment
            );
        end if;
    elsif exists (
        select from public.invoices as other
        where other.tripay_invoice_id = transaction.reference and other.id <> (input ->> 'id')::uuid
    ) then
        return 'null'::json;
    else
        update public.invoices
        set
            tripay_invoice_id = transaction.reference,
            tripay_merchant_id = input ->> 'merchant_code',
            payment_channel = left(transaction.payment_name, 100),
            checkout_url = transaction.checkout_url,
            pay_code = transaction.pay_code,
            pay_url = transaction.pay_url,
            qr_url = transaction.qr_url,
            expired_at = coalesce(transaction.expires_at, invoices.expired_at)
        where
            invoices.id = (input ->> 'id')::uuid
            and coalesce(invoices.tripay_invoice_id, transaction.reference) = transaction.reference
        returning invoices.* into invoice;
        if found and invoice.renews_subscription_id is not null and invoice.status = 'pending' then
            perform private.create_notification(
                invoice.user_id, 'invoice:' || invoice.id || ':renewal', 'invoice',
                format('Renew %s', split_part(invoice.description, ',', 1)),
                format(
                    'Pay %s with %s by %s to keep your plan.',
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

-- JSON ----------------------------------------------------------------------------------------------------------------

-- Returns the JSON of an invoice, the same in every response.
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

-- Returns the JSON of a subscription, the same in every response. plan_ends_at is the end of its plan, including the
-- periods of the same plan that follow without a gap.
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
                    -- Higher plans come first, so periods of one plan are never separated by another plan.
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
revoke execute on function private.subscription_json(public.subscriptions)
from public, anon, authenticated, service_role;
grant execute on function private.subscription_json(public.subscriptions) to nofomo_api;
