-- Supabase's own revocation of 2026, as it stands. TRUNCATE, REFERENCES and TRIGGER on new tables, and UPDATE on new
-- sequences, stay with the API roles; EXECUTE on new functions stays with PUBLIC.

alter default privileges for role postgres in schema public
revoke select, insert, update, delete on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
revoke usage, select on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
revoke execute on functions from anon, authenticated, service_role;
