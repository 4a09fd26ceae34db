package server

import (
	"net/http"
	"strconv"

	"github.com/comfyume/qmtui/internal/api"
)

// mostSpendDays is for how many days the account is kept.
const mostSpendDays = 32

// spend answers with what the last days cost, today first.
func (s *Server) spend(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("what the GPUs cost"); err != nil {
		return err
	}
	days := 1
	if text := r.URL.Query().Get("days"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostSpendDays {
			return badField("days", strconv.Quote(text)+" is not a number of days", "use 1 to 32")
		}
		days = n
	}
	return writeJSON(w, http.StatusOK, append([]api.SpendDay{}, s.svc.Spend(days)...))
}

// liftBudget lets spending go on beyond the budgets until midnight.
func (s *Server) liftBudget(w http.ResponseWriter, r *request) error {
	if err := firstError(r.who.adminOnly("spending beyond a budget"), r.discard()); err != nil {
		return err
	}
	if err := s.svc.LiftBudget(r.Context(), r.who.Caller); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.FromStatus(s.svc.Status()))
}
