-- Each span once: what was sent again is left out where rows are read (`resent`), so nothing is left to do here
-- but to read them once.
spans_once AS MATERIALIZED ({stored})
