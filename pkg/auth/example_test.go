package auth_test

import (
	"context"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gotomicro/ego/core/elog"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/pkg/auth"
)

func ExampleVerifier_Verify() {
	secret := "a secret of at least thirty-two bytes"
	cfg := auth.DefaultConfig()
	cfg.Types = []auth.Type{{Name: "web", Secret: secret}}
	v, err := auth.New(cfg, elog.DefaultLogger, auth.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		fmt.Println(err)
		return
	}
	// What the company's login service does:
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "u-17", "exp": time.Now().Add(time.Hour).Unix(), "docs": []string{"team-a/*"},
	}).SignedString([]byte(secret))
	if err != nil {
		fmt.Println(err)
		return
	}
	who, err := v.Verify(context.Background(), "web", token)
	fmt.Println(who.User, who.MayJoin("team-a/plan"), who.MayJoin("team-b/plan"), err)
	_, err = v.Verify(context.Background(), "web", token+"x")
	fmt.Println(err, "/", auth.CauseOf(err))
	// Output:
	// u-17 true false <nil>
	// not authenticated / signature
}
