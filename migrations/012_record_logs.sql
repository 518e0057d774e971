-- POST /bots/{bot_id}/logs: records up to 500 log lines of a bot.

-- Outcomes: recorded with the number of new rows; key_reused if an id belongs to another message; not_found.
create function private.record_logs(claims jsonb, input jsonb) returns json
language plpgsql
security definer
set search_path = ''
as $$
declare
    bot constant public.bots := private.reporting_bot(claims, (input ->> 'bot_id')::uuid);
    recorded integer;
begin
    if bot.id is null then
        return to_json('not_found'::text);
    end if;
    if exists (
        select
        from jsonb_to_recordset(input -> 'logs') as entry (id uuid, log_level text, message text)
        inner join public.logs on logs.id = entry.id
        where (logs.bot_id, logs.log_level, logs.message) is distinct from (bot.id, entry.log_level, entry.message)
    ) then
        return to_json('key_reused'::text);
    end if;
    -- Measured as PostgreSQL writes it, where 1e300 has 301 digits.
    if exists (
        select
        from jsonb_to_recordset(input -> 'logs') as entry (context jsonb)
        where octet_length(entry.context::text) > 16384
    ) then
        raise exception 'context must have at most 16384 bytes' using errcode = 'check_violation', constraint = 'log_is_valid';
    end if;
    insert into public.logs (id, user_id, bot_id, log_level, message, context, source, created_at)
    select
        entry.id, bot.user_id, bot.id, entry.log_level, entry.message, coalesce(entry.context, '{}'), 'bot_runner',
        coalesce(entry.created_at, now())
    from jsonb_to_recordset(input -> 'logs') as entry (
        id uuid, log_level text, message text, context jsonb, created_at timestamptz
    )
    on conflict (id) do nothing;
    get diagnostics recorded = row_count;
    return json_build_object('recorded', recorded);
end
$$;
comment on function private.record_logs(jsonb, jsonb) is 'POST /bots/{bot_id}/logs';
revoke execute on function private.record_logs(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.record_logs(jsonb, jsonb) to nofomo_api;
