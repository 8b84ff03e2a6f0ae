SELECT count(*)::UBIGINT AS counted FROM ({relation}) WHERE trace_id = ?
