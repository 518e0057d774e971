-- GET /analyses/{analysis_id}/report: returns the analysis that the page shows.

-- Outcomes: found with the analysis and the name of its bot or strategy; not_found.
create function private.show_report(claims jsonb, input jsonb) returns json
language plpgsql
set search_path = ''
set timezone = 'UTC'
as $$
declare
    analysis public.ai_analyses;
    subject text;
begin
    perform private.become_user(claims);
    select ai_analyses.* into analysis from public.ai_analyses where ai_analyses.id = (input ->> 'analysis_id')::uuid;
    select coalesce(
        (select bots.name from public.bots where bots.id = analysis.bot_id),
        (select strategies.name from public.strategies where strategies.id = analysis.strategy_id)
    )
    into subject;
    perform set_config('role', 'none', true);
    if analysis.id is null then
        return to_json('not_found'::text);
    end if;
    return json_build_object(
        'found', (private.analysis_json(analysis)::jsonb || jsonb_build_object('subject', subject))::json
    );
end
$$;
comment on function private.show_report(jsonb, jsonb) is 'GET /analyses/{analysis_id}/report';
revoke execute on function private.show_report(jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.show_report(jsonb, jsonb) to nofomo_api;
