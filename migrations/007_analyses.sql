-- Functions for analyses that several endpoints share: their JSON, and the requests that count against a plan.

-- Returns the number of AI requests, for analyses and generated strategies, in the current month in UTC.
create function private.ai_requests_this_month(user_id uuid) returns bigint
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
    return (
        select count(*) from private.ai_requests
        where
            ai_requests.user_id = ai_requests_this_month.user_id
            and ai_requests.requested_at >= date_trunc('month', now(), 'UTC')
    );
end
$$;
revoke execute on function private.ai_requests_this_month(uuid) from public, anon, authenticated, service_role;
grant execute on function private.ai_requests_this_month(uuid) to nofomo_api;

-- Returns the JSON of an analysis, the same in every response.
create function private.analysis_json(analysis public.ai_analyses) returns json
language sql
stable
set search_path = ''
set timezone = 'UTC'
as $$
    select json_build_object(
        'id', analysis.id,
        'bot_id', analysis.bot_id,
        'strategy_id', analysis.strategy_id,
        'analysis_type', analysis.analysis_type,
        'input_data', analysis.input_data,
        'results', analysis.results,
        'recommendations', analysis.recommendations,
        'confidence_score', analysis.confidence_score::text,
        'model_used', analysis.model_used,
        'tokens_used', analysis.tokens_used,
        'processing_time_ms', analysis.processing_time_ms,
        'created_at', analysis.created_at
    )
$$;
revoke execute on function private.analysis_json(public.ai_analyses) from public, anon, authenticated, service_role;
grant execute on function private.analysis_json(public.ai_analyses) to nofomo_api;
