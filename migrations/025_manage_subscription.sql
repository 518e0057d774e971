-- POST /subscription/{action}: starts a trial, cancels the renewal, or resumes it.

-- Outcomes: done with the subscription; already_subscribed; trial_used; not_found.
create function private.manage_subscription(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
set timezone = 'UTC'
as $$
declare
    caller constant uuid := (claims ->> 'sub')::uuid;
    action constant text := input ->> 'action';
    moment timestamptz;
    subscription public.subscriptions;
begin
    perform private.ensure_active_profile(claims);
    perform from public.users where users.id = caller for no key update;
    moment := clock_timestamp();
    subscription := private.subscription_in_force(caller, moment);

    if action = 'trial' then
        -- Repeating the request during the trial returns the same trial.
        if subscription.status is distinct from 'trial' then
            if exists (
                select from public.subscriptions
                where subscriptions.user_id = caller and subscriptions.trial_ends_at is not null
            ) then
                return to_json('trial_used'::text);
            elsif subscription.id is not null then
                return to_json('already_subscribed'::text);
            end if;
            insert into public.subscriptions (
                user_id, plan_id, status, started_at, expires_at, trial_ends_at, auto_renew, anchored_at, created_at
            )
            select
                caller, plans.id, 'trial', moment, moment + interval '7 days', moment + interval '7 days', false, moment,
                moment
            from public.plans
            where lower(plans.name) = 'pro'
            returning * into subscription;
            perform private.update_subscription_plans(array[caller], moment);
            perform private.audit_billing(
                caller, 'Started trial',
                jsonb_build_object('action', 'start-trial', 'subscription_id', subscription.id), moment
            );
        end if;
    elsif action = 'cancel' then
        update public.subscriptions
        set
            status = case subscriptions.status when 'active' then 'cancelled' else subscriptions.status end,
            auto_renew = false,
            cancelled_at = moment
        where
            subscriptions.user_id = caller
            and subscriptions.status <> 'expired'
            and subscriptions.expires_at > moment
            and subscriptions.cancelled_at is null;
        if found then
            -- Cancels unpaid renewal invoices. If one is paid nevertheless, the payment counts.
            update public.invoices
            set status = 'cancelled'
            where
                invoices.user_id = caller
                and invoices.status = 'pending'
                and invoices.renews_subscription_id is not null
                and invoices.tripay_invoice_id is not null;
            perform private.audit_billing(
                caller, 'Cancelled subscription',
                jsonb_build_object('action', 'cancel-subscription', 'subscription_id', subscription.id), moment
            );
        end if;
    else
        update public.subscriptions
        set
            status = case subscriptions.status when 'cancelled' then 'active' else subscriptions.status end,
            auto_renew = subscriptions.trial_ends_at is null,
            cancelled_at = null
        where
            subscriptions.user_id = caller
            and subscriptions.status <> 'expired'
            and subscriptions.expires_at > moment
            and subscriptions.cancelled_at is not null;
        if found then
            update public.invoices
            set status = 'pending'
            where
                invoices.user_id = caller
                and invoices.status = 'cancelled'
                and invoices.renews_subscription_id is not null
                and invoices.refunded_at is null
                and invoices.expired_at > moment;
            perform private.audit_billing(
                caller, 'Resumed subscription',
                jsonb_build_object('action', 'resume-subscription', 'subscription_id', subscription.id), moment
            );
        end if;
    end if;

    select subscriptions.* into subscription from public.subscriptions where subscriptions.id = subscription.id;
    if not found then
        return to_json('not_found'::text);
    end if;
    return json_build_object('done', private.subscription_json(subscription));
end
$$;
comment on function private.manage_subscription(jsonb, jsonb) is 'POST /subscription/{action}';
revoke execute on function private.manage_subscription(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.manage_subscription(jsonb, jsonb) to nofomo_api;
