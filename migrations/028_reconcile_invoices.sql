-- Every 15 minutes: selects the invoices whose status is queried at Tripay. Tripay's responses go to settle_payment and
-- record_tripay_response.

-- Returns one batch and sets its checked_at. Fewer than `limit` invoices mean that there are no more. An invoice is
-- queried once it has been pending for more than ten minutes, because create-invoice has ended by then. After its payment
-- deadline it is queried once an hour for a day, because it may have been paid in the last minute.
create function private.reconcile_invoices(input jsonb) returns json
language sql
security definer
set search_path = ''
as $$
    with due as (
        select invoices.id
        from public.invoices
        cross join (select (input ->> 'now')::timestamptz as moment) as clock
        where
            invoices.status in ('pending', 'expired', 'cancelled')
            and invoices.refunded_at is null
            and invoices.created_at <= clock.moment - interval '10 minutes'
            and (invoices.status = 'pending' or invoices.expired_at > clock.moment - interval '1 day')
            and (
                invoices.checked_at is null
                or invoices.checked_at <= clock.moment - case invoices.status
                    when 'pending' then interval '10 minutes' else interval '1 hour'
                end
            )
        order by invoices.checked_at nulls first, invoices.created_at
        limit (input ->> 'limit')::bigint
        for update of invoices skip locked
    ),

    changed as (
        update public.invoices
        set checked_at = (input ->> 'now')::timestamptz
        from due
        where invoices.id = due.id
        returning invoices.id, invoices.reference_id, invoices.tripay_invoice_id
    )

    select coalesce(
        json_agg(
            json_build_object(
                'id', changed.id, 'reference_id', changed.reference_id, 'tripay_invoice_id', changed.tripay_invoice_id
            )
        ),
        '[]'
    )
    from changed
$$;
comment on function private.reconcile_invoices(jsonb) is
    'Every 15 minutes: one batch of invoices whose status is queried at Tripay';
revoke execute on function private.reconcile_invoices(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.reconcile_invoices(jsonb) to nofomo_jobs;

-- Returns the age of the oldest pending invoice in seconds, or 0 if there is none.
create function private.oldest_pending_invoice_age(input jsonb) returns json
language sql
security definer
set search_path = ''
as $$
    select to_json(coalesce(
        greatest(0, extract(epoch from (input ->> 'now')::timestamptz - min(invoices.created_at)))::bigint, 0
    ))
    from public.invoices
    where invoices.status = 'pending'
$$;
comment on function private.oldest_pending_invoice_age(jsonb) is
    'Every 15 minutes: the age of the oldest pending invoice';
revoke execute on function private.oldest_pending_invoice_age(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.oldest_pending_invoice_age(jsonb) to nofomo_jobs;
