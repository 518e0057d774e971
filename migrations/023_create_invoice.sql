-- POST /invoices: creates an invoice for a plan, and its payment at Tripay. The invoice is committed before Tripay is
-- called, and the response is recorded afterwards. So a payment always finds its invoice, even if the function stops in
-- between.

-- Outcomes: opened with id and the order to send to Tripay; existing with the invoice; unconfirmed with id and
-- reference_id while it is unknown whether Tripay created the payment; unknown_plan; not_for_sale; rate_limited;
-- key_reused.
create function private.create_invoice(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    request record;
    digest constant bytea := sha256(convert_to((input - 'id')::text, 'UTF8'));
    moment timestamptz;
    customer public.users;
    plan public.plans;
    price numeric;
    invoice public.invoices;
begin
    perform private.ensure_active_profile(claims);
    select field.* into request
    from jsonb_to_record(input) as field (id uuid, plan text, period text, method text, customer_phone text);
    select users.* into customer from public.users where users.id = (claims ->> 'sub')::uuid for no key update;
    moment := clock_timestamp();

    select invoices.* into invoice from public.invoices where invoices.id = request.id;
    if found and (invoice.user_id <> customer.id or invoice.request_hash is distinct from digest) then
        return to_json('key_reused'::text);
    elsif not found then
        select plans.* into plan from public.plans where lower(plans.name) = lower(request.plan) and plans.is_active;
        if not found then
            return to_json('unknown_plan'::text);
        end if;
        price := case request.period when 'yearly' then plan.price_yearly else plan.price_monthly end;
        if coalesce(round(price), 0) <= 0 then
            return json_build_object('not_for_sale', json_build_object('plan', plan.name));
        end if;
        select invoices.* into invoice
        from public.invoices
        where
            invoices.user_id = customer.id
            and invoices.status = 'pending'
            and invoices.plan_id = plan.id
            and invoices.period = request.period
            and invoices.payment_method = request.method
            and invoices.amount = round(price)
            and invoices.expired_at > moment + interval '10 minutes'
        order by invoices.created_at desc
        limit 1;
    end if;

    if invoice.id is null then
        if (
            select count(*) >= 20 from public.invoices
            where invoices.user_id = customer.id and invoices.created_at > moment - interval '1 hour'
        ) then
            return to_json('rate_limited'::text);
        end if;
        invoice := private.insert_invoice(
            request.id, customer, plan, request.period, request.method, request.customer_phone,
            moment + interval '1 day', null, digest, moment
        );
        perform private.audit_billing(
            customer.id, 'Opened invoice',
            jsonb_build_object('action', 'create-invoice', 'invoice_id', invoice.id, 'amount', invoice.amount), moment
        );
        return json_build_object(
            'opened', json_build_object('id', invoice.id, 'order', private.tripay_order(invoice))
        );
    -- A callback may have reported the reference, but callbacks have no checkout URL.
    elsif invoice.status = 'pending' and invoice.checkout_url is null then
        return json_build_object(
            'unconfirmed', json_build_object('id', invoice.id, 'reference_id', invoice.reference_id)
        );
    end if;
    return json_build_object('existing', private.invoice_json(invoice));
end
$$;
comment on function private.create_invoice(jsonb, jsonb) is 'POST /invoices, before the call to Tripay';
revoke execute on function private.create_invoice(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.create_invoice(jsonb, jsonb) to nofomo_api;

-- Records Tripay's response for an invoice of the caller.
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
comment on function private.record_invoice(jsonb, jsonb) is 'POST /invoices, after the call to Tripay';
revoke execute on function private.record_invoice(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_invoice(jsonb, jsonb) to nofomo_api;
