SELECT f.trace_id
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
{where}
