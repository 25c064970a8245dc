package app

import "testing"

func TestRedisSectionsAreSettledWhereverTheyStand(t *testing.T) {
	gateway, api := map[string]any{"addr": "a"}, map[string]any{"addr": "b"}
	settleRedis(map[string]any{"redis": api, "gateway": map[string]any{"redis": gateway, "kafka": map[string]any{}}, "name": "n"})
	for _, section := range []map[string]any{gateway, api} {
		if section["onFail"] != "error" || section["enableTraceInterceptor"] != false {
			t.Errorf("section %v", section)
		}
	}
}
