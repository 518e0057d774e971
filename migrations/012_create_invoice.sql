-- POST /invoices: opens a Tripay payment for a plan. The invoice is committed before Tripay is asked, and the answer is
-- recorded after: whatever happens between the two, a payment finds its invoice.

-- A pending invoice of somebody whose row in users is locked.
create function private.open_invoice(
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
        round(case open_invoice.period when 'yearly' then plan.price_yearly else plan.price_monthly end),
        'pending',
        open_invoice.period,
        method,
        plan.name || ', ' || open_invoice.period,
        coalesce(nullif(btrim(person.full_name), ''), person.email),
        person.email,
        phone,
        open_invoice.expired_at,
        open_invoice.renews_subscription_id,
        open_invoice.request_hash,
        moment
    )
    returning *
$$;
revoke execute on function private.open_invoice(
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

-- Outcomes: opened with id and what to ask Tripay for; known with the invoice; unanswered with id and reference, while it is
-- not known whether Tripay opened it; unknown_plan, not_for_sale, too_many, key_reused.
create function private.create_invoice(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    wanted record;
    digest constant bytea := sha256(convert_to((input - 'id')::text, 'UTF8'));
    moment timestamptz;
    person public.users;
    plan public.plans;
    price numeric;
    invoice public.invoices;
begin
    perform private.ensure_active_profile(claims);
    select field.* into wanted
    from jsonb_to_record(input) as field (id uuid, plan text, period text, method text, customer_phone text);
    select users.* into person from public.users where users.id = (claims ->> 'sub')::uuid for no key update;
    moment := clock_timestamp();

    select invoices.* into invoice from public.invoices where invoices.id = wanted.id;
    if found and (invoice.user_id <> person.id or invoice.request_hash is distinct from digest) then
        return to_json('key_reused'::text);
    elsif not found then
        select plans.* into plan from public.plans where lower(plans.name) = lower(wanted.plan) and plans.is_active;
        if not found then
            return to_json('unknown_plan'::text);
        end if;
        price := case wanted.period when 'yearly' then plan.price_yearly else plan.price_monthly end;
        if coalesce(round(price), 0) <= 0 then
            return json_build_object('not_for_sale', json_build_object('plan', plan.name));
        end if;
        select invoices.* into invoice
        from public.invoices
        where
            invoices.user_id = person.id
            and invoices.status = 'pending'
            and invoices.plan_id = plan.id
            and invoices.period = wanted.period
            and invoices.payment_method = wanted.method
            and invoices.amount = round(price)
            and invoices.expired_at > moment + interval '10 minutes'
        order by invoices.created_at desc
        limit 1;
    end if;

    if invoice.id is null then
        if (
            select count(*) >= 20 from public.invoices
            where invoices.user_id = person.id and invoices.created_at > moment - interval '1 hour'
        ) then
            return to_json('too_many'::text);
        end if;
        invoice := private.open_invoice(
            wanted.id, person, plan, wanted.period, wanted.method, wanted.customer_phone, moment + interval '1 day', null,
            digest, moment
        );
        perform private.audit_billing(
            person.id, 'Opened invoice',
            jsonb_build_object('action', 'create-invoice', 'invoice_id', invoice.id, 'amount', invoice.amount), moment
        );
        return json_build_object(
            'opened', json_build_object('id', invoice.id, 'order', private.tripay_order(invoice))
        );
    -- A callback may have told its reference, but not where to pay.
    elsif invoice.status = 'pending' and invoice.checkout_url is null then
        return json_build_object(
            'unanswered', json_build_object('id', invoice.id, 'reference_id', invoice.reference_id)
        );
    end if;
    return json_build_object('known', private.invoice_json(invoice));
end
$$;
comment on function private.create_invoice(jsonb, jsonb) is 'POST /invoices, before Tripay is asked';
revoke execute on function private.create_invoice(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.create_invoice(jsonb, jsonb) to nofomo_api;

-- What came of asking Tripay to open it: `transaction`, or none. A callback may have come before, and stands. Answers null,
-- and changes nothing, if the transaction is another invoice's.
create function private.record_invoice(input jsonb) returns json
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
            perform private.notify(
                invoice.user_id, 'invoice:' || invoice.id || ':failed', 'invoice', 'Your renewal needs you',
                format(
                    'No payment of %s could be opened for %s by %s. Choose another way to pay before your plan ends.',
                    private.rupiah(invoice.amount), invoice.description, invoice.payment_method
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
            perform private.notify(
                invoice.user_id, 'invoice:' || invoice.id || ':renewal', 'invoice',
                format('Renew %s', split_part(invoice.description, ',', 1)),
                format(
                    'Pay %s by %s until %s to keep your plan.',
                    private.rupiah(invoice.amount), invoice.payment_channel, private.day_of(invoice.expired_at)
                ),
                jsonb_build_object('invoice_id', invoice.id, 'checkout_url', invoice.checkout_url), moment
            );
        end if;
    end if;
    select invoices.* into invoice from public.invoices where invoices.id = (input ->> 'id')::uuid;
    return private.invoice_json(invoice);
end
$$;
revoke execute on function private.record_invoice(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_invoice(jsonb) to nofomo_jobs;

-- The same for one's own invoice.
create function private.record_invoice(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
begin
    if exists (
        select from public.invoices
        where invoices.id = (input ->> 'id')::uuid and invoices.user_id = (claims ->> 'sub')::uuid
    ) then
        return private.record_invoice(input);
    end if;
    return null;
end
$$;
comment on function private.record_invoice(jsonb, jsonb) is 'POST /invoices, after Tripay has answered';
revoke execute on function private.record_invoice(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_invoice(jsonb, jsonb) to nofomo_api;
