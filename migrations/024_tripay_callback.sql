-- POST /callbacks/tripay: settles a payment that Tripay reports, by a callback or in response to a status query of
-- reconcile-invoices.
--
-- `input`: `source`; `body`, in base64; `signature_valid`; `event`; `payment`, null if the body cannot be parsed.
-- Outcomes that change the invoice or the subscription: paid, expired, failed, refunded, refunded_unpaid. All other
-- outcomes change nothing, except that they may set the Tripay reference of an invoice that had none.

create function private.settle_payment(input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    -- Anyone can send a body with a wrong signature. The first 1,024 bytes are enough to investigate.
    body constant bytea := case
        when (input -> 'signature_valid')::boolean then decode(input ->> 'body', 'base64')
        else substring(decode(input ->> 'body', 'base64') from 1 for 1024)
    end;
    is_payment constant boolean :=
        (input -> 'signature_valid')::boolean
        and input ->> 'event' = 'payment_status'
        and jsonb_typeof(input -> 'payment') = 'object'
        -- A reference that does not fit its column is not a payment of ours.
        and length(coalesce(input #>> '{payment,reference}', '')) <= 255;
    payment record;
    invoice public.invoices;
    period public.subscriptions;
    moment timestamptz;
    known_reference text;
    outcome text;
begin
    select field.* into payment
    from jsonb_to_record(case when is_payment then input -> 'payment' else '{}' end) as field (
        reference text, merchant_ref text, payment_method text, total_amount numeric, fee_merchant numeric,
        fee_customer numeric, total_fee numeric, amount_received numeric, is_closed_payment boolean, status text,
        paid_at timestamptz
    );
    select invoices.* into invoice
    from public.invoices
    where
        invoices.reference_id = payment.merchant_ref
        or (payment.merchant_ref is null and invoices.tripay_invoice_id = payment.reference);
    if found then
        perform from public.users where users.id = invoice.user_id for no key update;
        select invoices.* into invoice from public.invoices where invoices.id = invoice.id for update;
    end if;
    -- Billing jobs and tests may pass a future `now`. A past one is replaced by the current time, so that no change is
    -- dated before an earlier change of the user.
    moment := greatest((input ->> 'now')::timestamptz, clock_timestamp());
    known_reference := coalesce(invoice.transaction_id, invoice.tripay_invoice_id);

    outcome := case
        when not (input -> 'signature_valid')::boolean then 'bad_signature'
        when input ->> 'event' is distinct from 'payment_status' then 'other_event'
        when not is_payment then 'unreadable'
        when payment.reference is null and payment.merchant_ref is null then 'test'
        when not payment.is_closed_payment then 'open_payment'
        when invoice.id is null then 'unknown_invoice'
        when exists (
            select from public.invoices as other
            where other.tripay_invoice_id = payment.reference and other.id <> invoice.id
        ) then 'reference_of_another'
        when payment.status = 'UNPAID' then 'unpaid'
        when payment.status = 'PAID' then case
            when (invoice.status = 'paid' or invoice.refunded_at is not null) and payment.reference <> known_reference
                then 'paid_twice'
            when invoice.status = 'paid' or invoice.refunded_at is not null then 'duplicate'
            when payment.total_amount is null or payment.total_amount <= 0 then 'wrong_amount'
            when payment.total_amount - coalesce(payment.fee_customer, 0) <> invoice.amount then 'wrong_amount'
            when
                payment.fee_merchant < 0
                or payment.fee_customer < 0
                or payment.total_fee <> payment.fee_merchant + payment.fee_customer
                or payment.total_amount <> payment.amount_received + payment.fee_merchant + payment.fee_customer
                then 'inconsistent'
            else 'paid'
        end
        -- A transaction other than the invoice's own concerns the invoice only if it is paid.
        when payment.reference <> known_reference then 'other_transaction'
        when payment.status = 'REFUND' then case
            when invoice.refunded_at is not null then 'duplicate'
            when invoice.status = 'paid' then 'refunded'
            else 'refunded_unpaid'
        end
        when payment.status in ('EXPIRED', 'FAILED') then case
            when invoice.status = 'pending' then lower(payment.status)
            when invoice.status = lower(payment.status) then 'duplicate'
            else 'too_late'
        end
        else 'unknown_status'
    end;

    if invoice.tripay_invoice_id is null and outcome not in ('reference_of_another', 'open_payment') then
        update public.invoices set tripay_invoice_id = payment.reference where invoices.id = invoice.id;
    end if;

    if outcome = 'paid' then
        update public.invoices
        set
            status = 'paid',
            paid_at = coalesce(payment.paid_at, moment),
            transaction_id = coalesce(payment.reference, invoices.tripay_invoice_id),
            payment_channel = coalesce(left(payment.payment_method, 100), invoices.payment_channel)
        where invoices.id = invoice.id
        returning invoices.* into invoice;
        period := private.grant_period(invoice, moment);
        perform private.create_notification(
            invoice.user_id, 'invoice:' || invoice.id || ':paid', 'payment', 'Payment received',
            format(
                'We received %s for %s. Your plan is active from %s until %s.',
                private.format_rupiah(invoice.amount),
                invoice.description,
                private.format_date(period.started_at),
                private.format_date((private.subscription_json(period) ->> 'plan_ends_at')::timestamptz)
            ),
            jsonb_build_object('invoice_id', invoice.id, 'subscription_id', period.id), moment
        );
    elsif outcome in ('expired', 'failed') then
        update public.invoices set status = outcome where invoices.id = invoice.id;
    elsif outcome in ('refunded', 'refunded_unpaid') then
        update public.invoices
        set
            refunded_at = moment,
            status = case outcome when 'refunded' then invoices.status else 'cancelled' end
        where invoices.id = invoice.id
        returning invoices.* into invoice;
        perform private.revoke_period(invoice, moment);
        perform private.create_notification(
            invoice.user_id, 'invoice:' || invoice.id || ':refunded', 'payment', 'Payment refunded',
            format(
                '%s for %s was refunded. The subscription that it paid for has ended.',
                private.format_rupiah(invoice.amount),
                invoice.description
            ),
            jsonb_build_object('invoice_id', invoice.id), moment
        );
    end if;
    if outcome in ('paid', 'expired', 'failed', 'refunded', 'refunded_unpaid') then
        perform private.audit_billing(
            invoice.user_id, 'Invoice is ' || replace(outcome, '_', ' '),
            jsonb_build_object(
                'action', 'settle-payment', 'invoice_id', invoice.id, 'amount', invoice.amount, 'source', input ->> 'source'
            ),
            moment
        );
    end if;

    -- Callbacks are always stored. The response to a status query is stored only if it is new.
    if
        input ->> 'source' = 'callback'
        or (
            outcome not in ('unpaid', 'duplicate', 'too_late')
            and (outcome, body) not in (
                select stored.outcome, stored.body
                from private.payment_events as stored
                where stored.invoice_id = invoice.id and stored.source = 'reconciliation'
            )
        )
    then
        insert into private.payment_events (received_at, source, body, signature_valid, invoice_id, outcome)
        values (moment, input ->> 'source', body, (input -> 'signature_valid')::boolean, invoice.id, outcome);
    end if;
    return json_build_object(
        'outcome', outcome,
        'invoice_id', invoice.id,
        -- Payments, refunds and reports that the rules above do not settle: an operator must look at them.
        'needs_attention', outcome in (
            'other_event', 'unreadable', 'unknown_invoice', 'reference_of_another', 'paid_twice', 'wrong_amount',
            'inconsistent', 'refunded_unpaid', 'unknown_status'
        )
    );
end
$$;
comment on function private.settle_payment(jsonb) is 'POST /callbacks/tripay, and status queries of reconcile-invoices';
revoke execute on function private.settle_payment(jsonb) from public, anon, authenticated, service_role;
grant execute on function private.settle_payment(jsonb) to nofomo_jobs;
