-- POST /invoices: opens a Tripay payment for a plan. The invoice is committed before Tripay is asked, and the answer is
-- recorded after: whatever happens between the two, a payment finds its invoice.

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
            return to_json('rate_limited'::text);
        end if;
        invoice := private.insert_invoice(
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
            'unconfirmed', json_build_object('id', invoice.id, 'reference_id', invoice.reference_id)
        );
    end if;
    return json_build_object('existing', private.invoice_json(invoice));
end
$$;
comment on function private.create_invoice(jsonb, jsonb) is 'POST /invoices, before Tripay is asked';
revoke execute on function private.create_invoice(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.create_invoice(jsonb, jsonb) to nofomo_api;

-- Records what Tripay answered about an invoice of the caller's own.
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
        return private.record_tripay_response(input);
    end if;
    return null;
end
$$;
comment on function private.record_invoice(jsonb, jsonb) is 'POST /invoices, after Tripay has answered';
revoke execute on function private.record_invoice(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_invoice(jsonb, jsonb) to nofomo_api;
