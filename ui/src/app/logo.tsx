/** An envelope with two ticks: the post, and that it arrived. */
export function Logo({ size = 30 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden focusable="false">
      <rect x="0.5" y="0.5" width="31" height="31" rx="8" fill="#15626f" />
      <path d="M7 10.5h18v12.5a2 2 0 0 1-2 2H9a2 2 0 0 1-2-2z" fill="#f7f2e7" />
      <path d="M7 10.5V9a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v1.5" fill="#f7f2e7" />
      <path d="M7 10.5 16 18l9-7.5" fill="none" stroke="#15626f" strokeWidth="2" strokeLinejoin="round" />
      <path d="m10.5 20.6 2 2 4-4.4m-1 3.6.8.8 4-4.4" fill="none" stroke="#d9822b" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
